"""Taking steps: the sessions of a group are loaded, folded, and written, each once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import attrs
from twisted.python.failure import Failure

from twisted_dispatcher.records import NewEvent, Worker
from twisted_dispatcher.stores.sqlite.accepting import accept_all
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.triggerrecords import WAITING, InstanceRow, SessionRow, SessionStep

# A step, who is to run what it accepts, and when.
StepRequest = tuple[SessionStep, Worker, float]

SESSION = "twisted_dispatcher_session"
INSTANCE = "twisted_dispatcher_instance"
COLUMNS = "name, task, number, status, live, body"

_FIND = f"SELECT id, config, state, version FROM {SESSION} WHERE uid = ?"
_WAITING = f"SELECT {COLUMNS} FROM {INSTANCE} WHERE session_id = ? AND live = {WAITING}"
_NAMED = f"SELECT {COLUMNS} FROM {INSTANCE} WHERE session_id = ? AND name = ?"
_MAKE = f"""
    INSERT INTO {SESSION} (id, uid, config, state, version, writer, changed)
    VALUES (?, ?, ?, ?, 1, ?, ?)"""
_NEXT_ID = f"SELECT coalesce(max(id), 0) + 1 FROM {SESSION}"
_CHANGE = f"""
    UPDATE {SESSION} SET config = coalesce(?, config), state = coalesce(?, state),
        version = ?, writer = ?, changed = ?
    WHERE id = ?"""
_PUT = f"""
    INSERT INTO {INSTANCE} (session_id, name, task, number, status, live, body)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (session_id, name)
    DO UPDATE SET status = excluded.status, live = excluded.live, body = excluded.body"""
# Somebody else may have changed the session since.
_IS_CHANGED = f"""
    SELECT 1 FROM {SESSION} WHERE id = ? AND (version > ? OR (version = ? AND writer = ?))"""


@attrs.define
class _Loaded:
    """A session that steps are taken in; its id is None while it is not stored."""

    id: int | None
    version: int
    before: Any
    now: Any


class Changer:
    """Takes steps for one store."""

    def __init__(self, writer: str) -> None:
        """:param writer: a text that no other store of these tables has."""
        self._writer = writer

    def change_all(self, ledger: Ledger, requests: Sequence[StepRequest]) -> list[Any]:
        """Take the steps of some calls of `ITriggerStore.change`."""
        by_uid: dict[str, list[int]] = defaultdict(list)
        for place, (step, _, _) in enumerate(requests):
            by_uid[step.uid].append(place)
        answers: list[Any] = [None] * len(requests)
        events: list[tuple[int, Sequence[NewEvent]]] = []
        for uid, places in by_uid.items():
            steps = [requests[place][0] for place in places]
            loaded = self._load(ledger, uid, steps)
            for place, step in zip(places, steps):
                try:
                    after, own, answers[place] = step.take(loaded.now)
                except Exception:
                    answers[place] = Failure()
                    continue
                if after is not None:
                    loaded.now = after
                events.append((place, own))
            if loaded.now is not loaded.before:
                self._write(ledger, uid, steps[0], loaded, requests[places[-1]][2])
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

    def _load(self, ledger: Ledger, uid: str, steps: Sequence[SessionStep]) -> _Loaded:
        found = ledger.read(_FIND, (uid,))
        if not found:
            return _Loaded(None, 0, None, None)
        ((session_id, config, state, version),) = found
        rows = [InstanceRow(*row) for row in ledger.read(_WAITING, (session_id,))]
        there = {row.name for row in rows}
        for name in {name for step in steps for name in step.instances} - there:
            rows += [InstanceRow(*row) for row in ledger.read(_NAMED, (session_id, name))]
        session = steps[0].form.read(SessionRow(uid, config, state), rows)
        return _Loaded(session_id, version, session, session)

    def _write(
        self, ledger: Ledger, uid: str, step: SessionStep, loaded: _Loaded, now: float
    ) -> None:
        change = step.form.changes(loaded.before, loaded.now)
        version = loaded.version + 1
        if loaded.id is None:
            ((loaded.id,),) = ledger.read(_NEXT_ID)
            row = (loaded.id, uid, change.config or "", change.state or "", self._writer, now)
            ledger.write("make session", _MAKE, row)
        else:
            changed = (change.config, change.state, version, self._writer, now, loaded.id)
            ledger.write("change session", _CHANGE, changed)
        for each in change.instances:
            columns = (each.name, each.task, each.number, each.status, each.live, each.body)
            ledger.write("put instance", _PUT, (loaded.id, *columns))
        ledger.witness = (_IS_CHANGED, (loaded.id, version, version, self._writer))
