"""`SQLiteSweeps`: keeps in SQLite where sweeps stand."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_dispatcher.stores.gathering import Gathering
from twisted_dispatcher.stores.sqlite.desk import each
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.sweeprecords import SweepRow
from twisted_dispatcher.sweepstore import ISweepStore

SWEEP: Final = "twisted_dispatcher_sweep"
_COLUMNS: Final = "name, objects, position, began, changed, ended"
_KEEP: Final = f"INSERT OR REPLACE INTO {SWEEP} ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
_SWEEP: Final = f"SELECT {_COLUMNS} FROM {SWEEP} WHERE name = ?"
_SWEEPS: Final = f"SELECT {_COLUMNS} FROM {SWEEP} ORDER BY changed DESC, name LIMIT ?"
_FORGET: Final = f"DELETE FROM {SWEEP} WHERE name = ?"
_IS_FORGOTTEN: Final = f"SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM {SWEEP} WHERE name = ?)"
_IS_KEPT: Final = f"SELECT 1 FROM {SWEEP} WHERE name = ? AND objects = ? AND changed = ?"


def _keep_one(ledger: Ledger, row: SweepRow) -> None:
    values = (row.name, row.objects, row.position, row.began, row.changed, row.ended)
    ledger.write("keep sweep", _KEEP, values)
    ledger.witness = (_IS_KEPT, (row.name, row.objects, row.changed))


def _sweep_of(reader: sqlite3.Connection, name: str) -> SweepRow | None:
    found: list[Any] = reader.execute(_SWEEP, (name,)).fetchall()
    return SweepRow(*found[0]) if found else None


def _list_sweeps(reader: sqlite3.Connection, limit: int) -> list[SweepRow]:
    found: list[Any] = reader.execute(_SWEEPS, (limit,)).fetchall()
    return [SweepRow(*row) for row in found]


def _forget_one(ledger: Ledger, name: str) -> bool:
    ledger.witness = (_IS_FORGOTTEN, (name,))
    return ledger.write("forget sweep", _FORGET, (name,)) > 0


_keep = each(_keep_one)
_sweep = each(_sweep_of)
_sweeps = each(_list_sweeps)
_forget = each(_forget_one)


@implementer(ISweepStore)
class SQLiteSweeps:
    """Keeps sweeps in the file of a `SQLiteStore`, and goes by what it promises."""

    def __init__(self, writing: Gathering, reading: Gathering) -> None:
        """:param writing, reading: the store's own."""
        self._writing = writing
        self._reading = reading

    def keep(self, row: SweepRow) -> Deferred[None]:
        return self._writing.ask(_keep, (row,))

    def sweep(self, name: str) -> Deferred[SweepRow | None]:
        return self._reading.ask(_sweep, (name,))

    def sweeps(self, limit: int = 100) -> Deferred[list[SweepRow]]:
        return self._reading.ask(_sweeps, (limit,))

    def forget(self, name: str) -> Deferred[bool]:
        return self._writing.ask(_forget, (name,))
