"""Taking steps: the sessions of a group are loaded, folded, and written, each once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from twisted.python.failure import Failure

from twisted_dispatcher.records import NewEvent, Worker
from twisted_dispatcher.stores.folding import Folding, Lack, foldings
from twisted_dispatcher.stores.sqlite.accepting import accept_all
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.tables import EVENT
from twisted_dispatcher.triggerrecords import (
    WAITING,
    InstanceRow,
    SessionChange,
    SessionRow,
    SessionStep,
)

# A step, who is to run what it accepts, and when.
StepRequest = tuple[SessionStep, Worker, float]

SESSION = "twisted_dispatcher_session"
INSTANCE = "twisted_dispatcher_instance"
COLUMNS = "name, task, number, status, live, body, mark"

_FIND = f"SELECT id, config, state, version FROM {SESSION} WHERE uid = ?"
_WAITING = f"""
    SELECT {COLUMNS} FROM {INSTANCE}
    WHERE session_id = ? AND live = {WAITING} AND task = ? AND mark = ?"""
_NAMED = f"SELECT {COLUMNS} FROM {INSTANCE} WHERE session_id = ? AND name = ?"
_KNOWN = f"SELECT 1 FROM {EVENT} WHERE key = ?"
_MAKE = f"""
    INSERT INTO {SESSION} (id, uid, config, state, version, writer, changed)
    VALUES (?, ?, ?, ?, 1, ?, ?)"""
_NEXT_ID = f"SELECT coalesce(max(id), 0) + 1 FROM {SESSION}"
_CHANGE = f"""
    UPDATE {SESSION} SET config = coalesce(?, config), state = coalesce(?, state),
        version = ?, writer = ?, changed = ?
    WHERE id = ?"""
_PUT = f"""
    INSERT INTO {INSTANCE} (session_id, name, task, number, status, live, body, mark)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (session_id, name)
    DO UPDATE SET status = excluded.status, live = excluded.live, body = excluded.body,
        mark = excluded.mark"""
# Somebody else may have changed the session since.
_IS_CHANGED = f"""
    SELECT 1 FROM {SESSION} WHERE id = ? AND (version > ? OR (version = ? AND writer = ?))"""


class Changer:
    """Takes steps for one store."""

    def __init__(self, writer: str) -> None:
        """:param writer: a text that no other store of these tables has."""
        self._writer = writer

    def change_all(self, ledger: Ledger, requests: Sequence[StepRequest]) -> list[Any]:
        """Take the steps of some calls of `ITriggerStore.change`."""
        answers: list[Any] = [None] * len(requests)
        events: list[tuple[int, Sequence[NewEvent]]] = []
        for uid, session in foldings(requests).items():
            version = _load(ledger, uid, session)
            known = {key for key in session.once_keys() if ledger.read(_KNOWN, (key,))}
            events += session.take(answers, known, partial(_instances, ledger))
            change = session.change()
            if change is not None:
                now = requests[session.steps[-1][0]][2]
                self._write(ledger, uid, session, change, version + 1, now)
        return self._accepted(ledger, requests, answers, events)

    def _accepted(
        self,
        ledger: Ledger,
        requests: Sequence[StepRequest],
        answers: list[Any],
        events: list[tuple[int, Sequence[NewEvent]]],
    ) -> list[Any]:
        """Accept the events of all steps, and give the answers with what became of them."""
        some = [(place, own) for place, own in events if own]
        accepted: dict[int, Any] = {}
        if some:
            given = accept_all(ledger, [(own, *requests[place][1:]) for place, own in some])
            accepted = {place: each for (place, _), each in zip(some, given)}
        return [
            answer if isinstance(answer, Failure) else (answer, accepted.get(place, ()))
            for place, answer in enumerate(answers)
        ]

    def _write(
        self,
        ledger: Ledger,
        uid: str,
        session: Folding,
        change: SessionChange,
        version: int,
        now: float,
    ) -> None:
        if session.id is None:
            ((session.id,),) = ledger.read(_NEXT_ID)
            row = (session.id, uid, change.config or "", change.state or "", self._writer, now)
            ledger.write("make session", _MAKE, row)
        else:
            changed = (change.config, change.state, version, self._writer, now, session.id)
            ledger.write("change session", _CHANGE, changed)
        for each in change.instances:
            columns = (each.name, each.task, each.number, each.status, each.live)
            ledger.write("put instance", _PUT, (session.id, *columns, each.body, each.mark))
        ledger.witness = (_IS_CHANGED, (session.id, version, version, self._writer))


def _load(ledger: Ledger, uid: str, session: Folding) -> int:
    """Read a session, and the instances that its steps need; give its version."""
    found = ledger.read(_FIND, (uid,))
    if not found:
        return 0
    ((session.id, config, state, version),) = found
    session.read(SessionRow(uid, config, state))
    session.join(_instances(ledger, session, session.lack()))
    return int(version)


def _instances(ledger: Ledger, session: Folding, lack: Lack) -> list[InstanceRow]:
    found: list[Any] = []
    for task, mark in lack.waiting:
        found += ledger.read(_WAITING, (session.id, task, mark))
    for name in lack.names:
        found += ledger.read(_NAMED, (session.id, name))
    return list({row[0]: InstanceRow(*row) for row in found}.values())
