"""
Taking steps: the sessions of a group are locked, loaded, folded, and written by few statements.

Rows of sessions are locked in the order of their uids, those that are there before those that are
made, so that two groups wait for one another but never in a circle. A session that is about to be
made has a row of version 0, which nobody else sees before the commit, and which is gone again when
nothing came of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import attrs
from twisted.python.failure import Failure

from twisted_dispatcher.records import NewEvent, Worker
from twisted_dispatcher.stores.postgresql.accepting import accept_all
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import listed, rows
from twisted_dispatcher.triggerrecords import (
    WAITING,
    InstanceRow,
    SessionChange,
    SessionRow,
    SessionStep,
)

# A step, who is to run what it accepts, and when.
StepRequest = tuple[SessionStep, Worker, float]

SESSION: Final = "twisted_dispatcher_session"
INSTANCE: Final = "twisted_dispatcher_instance"
COLUMNS: Final = "name, task, number, status, live, body"

_LOCK: Final = f"""
    SELECT uid, id, config, state, version FROM {SESSION}
    WHERE uid = ANY(%s::text[]) ORDER BY uid FOR UPDATE"""
_MAKE: Final = f"""
    INSERT INTO {SESSION} (uid) SELECT unnest(%s::text[]) ON CONFLICT (uid) DO NOTHING"""
_UNMAKE: Final = f"DELETE FROM {SESSION} WHERE id = ANY(%s::bigint[]) AND version = 0"
_WAITING: Final = f"""
    SELECT session_id, {COLUMNS} FROM {INSTANCE}
    WHERE session_id = ANY(%s::bigint[]) AND live = {WAITING}"""
_NAMED: Final = f"""
    SELECT i.session_id, i.name, i.task, i.number, i.status, i.live, i.body
    FROM json_to_recordset(%s::json) AS wanted (session_id bigint, name text)
    JOIN {INSTANCE} i ON i.session_id = wanted.session_id AND i.name = wanted.name"""
_CHANGE: Final = f"""
    UPDATE {SESSION} s SET config = coalesce(new.config, s.config),
        state = coalesce(new.state, s.state), version = s.version + 1, changed = new.changed
    FROM json_to_recordset(%s::json) AS new (
        id bigint, config text, state text, changed float8)
    WHERE s.id = new.id"""
_PUT: Final = f"""
    INSERT INTO {INSTANCE} (session_id, {COLUMNS})
    SELECT session_id, {COLUMNS} FROM json_to_recordset(%s::json) AS new (
        session_id bigint, name text, task text, number int, status text, live int, body text)
    ON CONFLICT (session_id, name)
    DO UPDATE SET status = excluded.status, live = excluded.live, body = excluded.body"""


@attrs.define
class _Loaded:
    """A session that steps are taken in; its id is None where there is not even a row."""

    id: int | None = None
    row: SessionRow | None = None
    instances: dict[str, InstanceRow] = attrs.field(factory=dict)
    steps: list[int] = attrs.field(factory=list)
    before: Any = None
    now: Any = None


def change_all(ledger: Ledger, requests: Sequence[StepRequest]) -> list[Any]:
    """Take the steps of some calls of `ITriggerStore.change`."""
    sessions: dict[str, _Loaded] = defaultdict(_Loaded)
    for place, (step, _, _) in enumerate(requests):
        sessions[step.uid].steps.append(place)
    _load(ledger, requests, sessions)
    answers: list[Any] = [None] * len(requests)
    events: list[tuple[int, Sequence[NewEvent]]] = []
    for session in sessions.values():
        events += _fold(session, requests, answers)
    _write(ledger, requests, sessions)
    return _accepted(ledger, requests, answers, events)


def _load(ledger: Ledger, requests: Sequence[StepRequest], sessions: dict[str, _Loaded]) -> None:
    """Lock and read the sessions, and the instances that steps may need."""
    _lock(ledger, sorted(sessions), sessions)
    missing = sorted(
        uid
        for uid, session in sessions.items()
        if session.id is None and any(requests[place][0].creates for place in session.steps)
    )
    if missing:
        ledger.write("make sessions", _MAKE, (missing,))
        _lock(ledger, missing, sessions)
    by_id = {each.id: each for each in sessions.values() if each.row is not None}
    if not by_id:
        return
    ids = listed(each for each in by_id if each is not None)
    wanted = [
        {"session_id": session.id, "name": name}
        for session in by_id.values()
        for name in {name for place in session.steps for name in requests[place][0].instances}
    ]
    found = ledger.read(_WAITING, (ids,))
    if wanted:
        found += ledger.read(_NAMED, (rows(wanted),))
    for session_id, *columns in found:
        row = InstanceRow(*columns)
        by_id[session_id].instances[row.name] = row


def _lock(ledger: Ledger, uids: list[str], sessions: dict[str, _Loaded]) -> None:
    for uid, session_id, config, state, version in ledger.read(_LOCK, (uids,)):
        sessions[uid].id = session_id
        if version:
            sessions[uid].row = SessionRow(uid, config, state)


def _fold(
    session: _Loaded, requests: Sequence[StepRequest], answers: list[Any]
) -> list[tuple[int, Sequence[NewEvent]]]:
    """Take the steps of one session, one after another; give the events of each."""
    form = requests[session.steps[0]][0].form
    if session.row is not None:
        session.before = session.now = form.read(session.row, list(session.instances.values()))
    events: list[tuple[int, Sequence[NewEvent]]] = []
    for place in session.steps:
        try:
            after, own, answers[place] = requests[place][0].take(session.now)
        except Exception:
            answers[place] = Failure()
            continue
        if after is not None:
            session.now = after
        events.append((place, own))
    return events


def _write(ledger: Ledger, requests: Sequence[StepRequest], sessions: dict[str, _Loaded]) -> None:
    changed: list[dict[str, Any]] = []
    put: list[dict[str, Any]] = []
    unmade: list[int] = []
    for session in sessions.values():
        if session.now is not session.before and session.id is not None:
            step, _, now = requests[session.steps[-1]]
            change: SessionChange = step.form.changes(session.before, session.now)
            row = {"config": change.config, "state": change.state, "changed": now}
            changed.append({"id": session.id, **row})
            put += [{"session_id": session.id, **attrs.asdict(each)} for each in change.instances]
        elif session.id is not None and session.row is None:
            unmade.append(session.id)
    if changed:
        ledger.write("change sessions", _CHANGE, (rows(changed),))
    if put:
        ledger.write("put instances", _PUT, (rows(put),))
    if unmade:
        ledger.write("unmake sessions", _UNMAKE, (listed(unmade),))


def _accepted(
    ledger: Ledger,
    requests: Sequence[StepRequest],
    answers: list[Any],
    events: list[tuple[int, Sequence[NewEvent]]],
) -> list[Any]:
    """Accept the events of all steps, and give the answers with what became of them."""
    some = sorted((place for place, own in events if own))
    accepted: dict[int, Any] = {}
    if some:
        own_events = dict(events)
        given = accept_all(ledger, [(own_events[place], *requests[place][1:]) for place in some])
        accepted = dict(zip(some, given))
    return [
        answer if isinstance(answer, Failure) else (answer, accepted.get(place, ()))
        for place, answer in enumerate(answers)
    ]
