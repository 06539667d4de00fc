"""`PostgreSQLTriggers`: the face that trigger sessions in PostgreSQL show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from zlib import crc32

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_dispatcher.records import Accepted, Worker
from twisted_dispatcher.stores.postgresql.crew import Crew
from twisted_dispatcher.stores.postgresql.office import Desk
from twisted_dispatcher.stores.postgresql.single import reads, writing
from twisted_dispatcher.stores.postgresql.triggers import reading
from twisted_dispatcher.stores.postgresql.triggers.changing import change_all
from twisted_dispatcher.triggerrecords import (
    InstanceRow,
    SessionRow,
    SessionStep,
    SessionSummary,
)
from twisted_dispatcher.triggerstore import ITriggerStore

# Steps of one session are taken in the order in which they were asked for, so that a session goes
# to one desk always; with two of them one group is prepared while the other one is committed.
_CHANGES: Final = (Desk(change_all), Desk(change_all))
_FORGET: Final = writing(reading.forget)
# A session may have many instances, so that few of them are read at once.
_SESSION: Final = Desk(reading.session_of_each, at_once=2, reads=True, largest=100)
_ACTIVE: Final = Desk(reading.active_of_each, at_once=2, reads=True)
_SESSIONS: Final = reads(reading.sessions)


@implementer(ITriggerStore)
class PostgreSQLTriggers:
    """Keeps sessions in the database of a `PostgreSQLStore`, and goes by what it promises."""

    def __init__(self, crew: Crew) -> None:
        """:param crew: the store's own."""
        self._crew = crew

    def change(
        self, step: SessionStep, worker: Worker, now: float
    ) -> Deferred[tuple[Any, Sequence[Accepted]]]:
        desk = _CHANGES[crc32(step.uid.encode()) % len(_CHANGES)]
        return self._crew.ask(desk, (step, worker, now))

    def session(
        self, uid: str, live: bool = False
    ) -> Deferred[tuple[SessionRow, list[InstanceRow]]]:
        return self._crew.ask(_SESSION, (uid, live))

    def active(self, uid: str) -> Deferred[int]:
        return self._crew.ask(_ACTIVE, (uid,))

    def sessions(
        self, prefix: str = "", after: str = "", limit: int = 100
    ) -> Deferred[list[SessionSummary]]:
        return self._crew.ask(_SESSIONS, (prefix, after, limit))

    def forget(self, uid: str, before: float | None = None) -> Deferred[bool]:
        return self._crew.ask(_FORGET, (uid, before))
