"""`SQLiteTriggers`: the face that the store shows for trigger sessions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_dispatcher.records import Accepted, Worker
from twisted_dispatcher.stores.gathering import Gathering
from twisted_dispatcher.stores.sqlite.desk import each
from twisted_dispatcher.stores.sqlite.triggers import reading
from twisted_dispatcher.stores.sqlite.triggers.changing import Changer
from twisted_dispatcher.triggerrecords import (
    InstanceRow,
    SessionRow,
    SessionStep,
    SessionSummary,
)
from twisted_dispatcher.triggerstore import ITriggerStore

_session = each(reading.session)
_active = each(reading.active)
_sessions = each(reading.sessions)
_forget = each(reading.forget)


@implementer(ITriggerStore)
class SQLiteTriggers:
    """Keeps sessions; what is asked for in one turn is committed with all else of that turn."""

    def __init__(self, writing: Gathering, reading: Gathering) -> None:
        self._writing = writing
        self._reading = reading
        self._change_all = Changer(uuid.uuid4().hex).change_all

    def change(
        self, step: SessionStep, worker: Worker, now: float
    ) -> Deferred[tuple[Any, Sequence[Accepted]]]:
        return self._writing.ask(self._change_all, (step, worker, now))

    def session(
        self, uid: str, live: bool = False
    ) -> Deferred[tuple[SessionRow, list[InstanceRow]]]:
        return self._reading.ask(_session, (uid, live))

    def active(self, uid: str) -> Deferred[int]:
        return self._reading.ask(_active, (uid,))

    def sessions(
        self, prefix: str = "", after: str = "", limit: int = 100
    ) -> Deferred[list[SessionSummary]]:
        return self._reading.ask(_sessions, (prefix, after, limit))

    def forget(self, uid: str, before: float | None = None) -> Deferred[bool]:
        return self._writing.ask(_forget, (uid, before))
