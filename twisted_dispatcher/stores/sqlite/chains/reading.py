"""What people ask of chains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twisted_dispatcher.chainrecords import HistoryRow, StoredChain, hash_of
from twisted_dispatcher.stores.sqlite.chains.locking import due_rows
from twisted_dispatcher.stores.sqlite.chains.rows import (
    CHAIN,
    COLUMNS,
    HISTORY,
    PAIR,
    chain_of,
    row_of,
    signals_of,
)

_NEXT_DUE: Final = f"SELECT min(due) FROM {CHAIN} WHERE chain_type = ? AND due IS NOT NULL"
_HISTORY: Final = f"""
    SELECT version, previous, state, transition_name, requested_by, at FROM {HISTORY}
    WHERE chain = ? ORDER BY version DESC LIMIT ?"""
_COUNTS: Final = f"""
    SELECT chain_type, state, count(*) FROM {CHAIN} {{}} GROUP BY chain_type, state"""


class Reader:
    """A connection that reads, with the ledger's way of doing so."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def read(self, sql: str, parameters: Any = ()) -> list[Any]:
        """Give the rows of a query."""
        rows: list[Any] = self._connection.execute(sql, parameters).fetchall()
        return rows


def next_due(connection: Any, chain_type: str) -> float | None:
    """Tell when a chain is due next; see `IChainStore.next_due`."""
    ((due,),) = Reader(connection).read(_NEXT_DUE, (chain_type,))
    return None if due is None else float(due)


def due(connection: Any, chain_type: str, now: float, limit: int) -> list[StoredChain]:
    """List the chains that are due; see `IChainStore.due`."""
    return [chain_of(row) for row in due_rows(Reader(connection), chain_type, now, limit)]


def chain(connection: Any, chain_id: str) -> StoredChain:
    """Give one chain; see `IChainStore.chain`."""
    return chain_of(row_of(Reader(connection), chain_id))


def signals(connection: Any, chain_id: str) -> Mapping[str, str]:
    """Give what has arrived for a chain; see `IChainStore.signals`."""
    reader = Reader(connection)
    return signals_of(reader, row_of(reader, chain_id)[0])


def chains(
    connection: Any,
    chain_type: str | None,
    state: str | None,
    pair: tuple[str, str] | None,
    parked: bool,
    limit: int,
) -> list[StoredChain]:
    """List chains; see `IChainStore.chains`."""
    wanted: list[tuple[str, Any]] = []
    if chain_type is not None:
        wanted.append(("chain_type = ?", chain_type))
    if state is not None:
        wanted.append(("state = ?", state))
    if pair is not None:
        having = f"number IN (SELECT chain FROM {PAIR} WHERE pair = ?)"
        wanted.append((having, hash_of(chain_type, *pair)))
    if parked:
        wanted.append(("parked = 1 AND ?", True))
    where = "WHERE " + " AND ".join(sql for sql, _ in wanted) if wanted else ""
    rows = Reader(connection).read(
        f"SELECT {COLUMNS} FROM {CHAIN} {where} ORDER BY number DESC LIMIT ?",
        (*(value for _, value in wanted), limit),
    )
    return [chain_of(row) for row in rows]


def history(connection: Any, chain_id: str, limit: int) -> list[HistoryRow]:
    """List the transitions of a chain; see `IChainStore.history`."""
    reader = Reader(connection)
    rows = reader.read(_HISTORY, (row_of(reader, chain_id)[0], limit))
    return [HistoryRow(chain_id, *row) for row in reversed(rows)]


def counts(connection: Any, chain_type: str | None) -> Mapping[tuple[str, str], int]:
    """Count chains by type and state; see `IChainStore.counts`."""
    if chain_type is None:
        rows = Reader(connection).read(_COUNTS.format(""))
    else:
        rows = Reader(connection).read(_COUNTS.format("WHERE chain_type = ?"), (chain_type,))
    return {(kind, state): count for kind, state, count in rows}
