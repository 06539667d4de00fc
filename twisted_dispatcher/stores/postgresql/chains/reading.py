"""What people ask of chains."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from twisted_dispatcher.chainrecords import HistoryRow, StoredChain, hash_of
from twisted_dispatcher.errors import UnknownChain
from twisted_dispatcher.stores.postgresql.chains.rows import (
    CHAIN,
    COLUMNS,
    HISTORY,
    PAIR,
    SIGNALS,
    chain_of,
    row_of,
)
from twisted_dispatcher.stores.postgresql.ledger import Ledger

# Those that are executed are among the first ones.
_NEXT_DUE: Final = f"""
    SELECT min(greatest(due, locked_until)) FROM (
        SELECT due, locked_until FROM {CHAIN} WHERE chain_type = %s AND due IS NOT NULL
        ORDER BY due LIMIT 1000) first"""
_DUE: Final = f"""
    SELECT {COLUMNS} FROM {CHAIN} c
    WHERE c.chain_type = %(type)s AND c.due <= %(now)s AND c.locked_until <= %(now)s
    ORDER BY c.due LIMIT %(limit)s"""
_SIGNALS_OF: Final = f"SELECT {SIGNALS} FROM {CHAIN} c WHERE c.id = %s"
_HISTORY: Final = f"""
    SELECT version, previous, state, transition_name, requested_by, at FROM {HISTORY}
    WHERE chain = %s ORDER BY version DESC LIMIT %s"""
_COUNTS: Final = f"""
    SELECT chain_type, state, count(*) FROM {CHAIN}
    WHERE %(type)s::text IS NULL OR chain_type = %(type)s GROUP BY chain_type, state"""


def next_due(ledger: Ledger, chain_type: str) -> float | None:
    """Tell when a chain is due next; see `IChainStore.next_due`."""
    ((due,),) = ledger.read(_NEXT_DUE, (chain_type,))
    return None if due is None else float(due)


def due(ledger: Ledger, chain_type: str, now: float, limit: int) -> list[StoredChain]:
    """List the chains that are due; see `IChainStore.due`."""
    values = {"type": chain_type, "now": now, "limit": limit}
    return [chain_of(row) for row in ledger.read(_DUE, values)]


def chain(ledger: Ledger, chain_id: str) -> StoredChain:
    """Give one chain; see `IChainStore.chain`."""
    return chain_of(row_of(ledger, chain_id))


def signals(ledger: Ledger, chain_id: str) -> Mapping[str, str]:
    """Give what has arrived for a chain; see `IChainStore.signals`."""
    found = ledger.read(_SIGNALS_OF, (chain_id,))
    if not found:
        raise UnknownChain(chain_id)
    values: Mapping[str, str] = json.loads(found[0][0] or "{}")
    return values


def chains(
    ledger: Ledger,
    chain_type: str | None,
    state: str | None,
    pair: tuple[str, str] | None,
    parked: bool,
    limit: int,
) -> list[StoredChain]:
    """List chains; see `IChainStore.chains`."""
    wanted: list[tuple[str, Any]] = []
    if chain_type is not None:
        wanted.append(("c.chain_type = %s", chain_type))
    if state is not None:
        wanted.append(("c.state = %s", state))
    if pair is not None:
        having = f"c.number IN (SELECT chain FROM {PAIR} WHERE pair = %s)"
        wanted.append((having, hash_of(chain_type, *pair)))
    where = " AND ".join(sql for sql, _ in wanted) or "TRUE"
    if parked:
        where += " AND c.parked"
    found = ledger.read(
        f"SELECT {COLUMNS} FROM {CHAIN} c WHERE {where} ORDER BY c.number DESC LIMIT %s",
        (*(value for _, value in wanted), limit),
    )
    return [chain_of(row) for row in found]


def history(ledger: Ledger, chain_id: str, limit: int) -> list[HistoryRow]:
    """List the transitions of a chain; see `IChainStore.history`."""
    found = ledger.read(_HISTORY, (row_of(ledger, chain_id)[0], limit))
    return [HistoryRow(chain_id, *row) for row in reversed(found)]


def counts(ledger: Ledger, chain_type: str | None) -> Mapping[tuple[str, str], int]:
    """Count chains by type and state; see `IChainStore.counts`."""
    found = ledger.read(_COUNTS, {"type": chain_type})
    return {(kind, state): count for kind, state, count in found}
