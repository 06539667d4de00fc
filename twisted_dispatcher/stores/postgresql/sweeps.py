"""`PostgreSQLSweeps`: keeps in PostgreSQL where sweeps stand."""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_dispatcher.stores.postgresql.crew import Crew
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.single import reads, writing
from twisted_dispatcher.sweeprecords import SweepRow
from twisted_dispatcher.sweepstore import ISweepStore

SWEEP: Final = "twisted_dispatcher_sweep"
_COLUMNS: Final = "name, objects, position, began, changed, ended"
_KEEP: Final = f"""
    INSERT INTO {SWEEP} ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (name) DO UPDATE SET objects = EXCLUDED.objects, position = EXCLUDED.position,
        began = EXCLUDED.began, changed = EXCLUDED.changed, ended = EXCLUDED.ended"""
_SWEEP_OF: Final = f"SELECT {_COLUMNS} FROM {SWEEP} WHERE name = %s"
_LIST: Final = f"SELECT {_COLUMNS} FROM {SWEEP} ORDER BY changed DESC, name LIMIT %s"
_DELETE: Final = f"DELETE FROM {SWEEP} WHERE name = %s"


def _keep_one(ledger: Ledger, row: SweepRow) -> None:
    values = (row.name, row.objects, row.position, row.began, row.changed, row.ended)
    ledger.write("keep sweep", _KEEP, values)


def _sweep_of(ledger: Ledger, name: str) -> SweepRow | None:
    found = ledger.read(_SWEEP_OF, (name,))
    return SweepRow(*found[0]) if found else None


def _list_sweeps(ledger: Ledger, limit: int) -> list[SweepRow]:
    return [SweepRow(*row) for row in ledger.read(_LIST, (limit,))]


def _forget_one(ledger: Ledger, name: str) -> bool:
    return ledger.write("forget sweep", _DELETE, (name,)) > 0


# Groups of one desk are written one after another, so that two of them never wait for one another.
_KEEPING: Final = writing(_keep_one)
_SWEEP: Final = reads(_sweep_of)
_SWEEPS: Final = reads(_list_sweeps)
_FORGET: Final = writing(_forget_one)


@implementer(ISweepStore)
class PostgreSQLSweeps:
    """Keeps sweeps in the database of a `PostgreSQLStore`, and goes by what it promises."""

    def __init__(self, crew: Crew) -> None:
        """:param crew: the store's own."""
        self._crew = crew

    def keep(self, row: SweepRow) -> Deferred[None]:
        return self._crew.ask(_KEEPING, (row,))

    def sweep(self, name: str) -> Deferred[SweepRow | None]:
        return self._crew.ask(_SWEEP, (name,))

    def sweeps(self, limit: int = 100) -> Deferred[list[SweepRow]]:
        return self._crew.ask(_SWEEPS, (limit,))

    def forget(self, name: str) -> Deferred[bool]:
        return self._crew.ask(_FORGET, (name,))
