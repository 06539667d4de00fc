"""The names of the tables of chains, and how a row of theirs is read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from twisted_dispatcher.chainrecords import StoredChain
from twisted_dispatcher.errors import UnknownChain
from twisted_dispatcher.stores.postgresql.ledger import Ledger

CHAIN: Final = "twisted_dispatcher_chain"
PAIR: Final = "twisted_dispatcher_chain_pair"
HISTORY: Final = "twisted_dispatcher_chain_history"
SIGNAL: Final = "twisted_dispatcher_chain_signal"
CHAINS_WITH: Final = "twisted_dispatcher_chains_with"

COLUMNS: Final = """
    c.number, c.id, c.chain_type, c.state, c.version, c.pairs, c.definition, c.next_update,
    CASE WHEN c.due IS NULL THEN NULL ELSE greatest(c.due, c.locked_until) END, c.disabled,
    c.ended, c.locked_until, c.fence, c.failures, c.parked, c.error, c.refusals, c.tried,
    c.created, c.entered"""
SIGNALS: Final = f"""
    (SELECT json_object_agg(s.name, s.value)::text FROM {SIGNAL} s WHERE s.chain = c.number)"""
_BY_IDS: Final = f"SELECT {COLUMNS} FROM {CHAIN} c WHERE c.id = ANY(%s::text[])"


def chain_of(row: tuple[Any, ...]) -> StoredChain:
    """Give what a row stands for that begins with `COLUMNS`."""
    _, chain_id, chain_type, state, version, pairs, *rest = row[:20]
    return StoredChain(
        chain_id, chain_type, state, version, tuple(map(tuple, json.loads(pairs))), *rest
    )


def rows_of(ledger: Ledger, chain_ids: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """Give the rows of chains by their ids, as far as there are such chains."""
    return {row[1]: row for row in ledger.read(_BY_IDS, (list(chain_ids),))}


def row_of(ledger: Ledger, chain_id: str) -> tuple[Any, ...]:
    """
    Give the row of a chain.

    :raises UnknownChain: when there is none.
    """
    row = rows_of(ledger, (chain_id,)).get(chain_id)
    if row is None:
        raise UnknownChain(chain_id)
    return row
