"""The names of the tables of chains, and how a row of theirs is read."""

from __future__ import annotations

import json
from typing import Any, Final

from twisted_dispatcher.chainrecords import StoredChain
from twisted_dispatcher.errors import UnknownChain

CHAIN: Final = "twisted_dispatcher_chain"
PAIR: Final = "twisted_dispatcher_chain_pair"
HISTORY: Final = "twisted_dispatcher_chain_history"
SIGNAL: Final = "twisted_dispatcher_chain_signal"

COLUMNS: Final = (
    "number, id, chain_type, state, version, pairs, definition, next_update, due, disabled, ended,"
    " locked_until, fence, failures, parked, error, refusals, tried, created, entered"
)
BY_ID: Final = f"SELECT {COLUMNS} FROM {CHAIN} WHERE id = ?"
BY_NUMBER: Final = f"SELECT {COLUMNS} FROM {CHAIN} WHERE number = ?"
_SIGNALS: Final = f"SELECT name, value FROM {SIGNAL} WHERE chain = ?"


def chain_of(row: tuple[Any, ...]) -> StoredChain:
    """Give what a row of `COLUMNS` stands for."""
    (_, chain_id, chain_type, state, version, pairs, definition, next_update, due) = row[:9]
    disabled, ended, locked_until, fence, failures, parked, *rest = row[9:]
    values: tuple[Any, ...] = (
        *(chain_id, chain_type, state, version),
        tuple(map(tuple, json.loads(pairs))),
        *(definition, next_update, due, bool(disabled), bool(ended)),
        *(locked_until, fence, failures, bool(parked), *rest),
    )
    return StoredChain(*values)


def row_of(place: Any, chain_id: str) -> tuple[Any, ...]:
    """
    Give the row of a chain.

    :param place: a ledger.
    :raises UnknownChain: when there is none.
    """
    found = place.read(BY_ID, (chain_id,))
    if not found:
        raise UnknownChain(chain_id)
    row: tuple[Any, ...] = found[0]
    return row


def signals_of(place: Any, number: int) -> dict[str, str]:
    """Give what has arrived for a chain."""
    return dict(place.read(_SIGNALS, (number,)))
