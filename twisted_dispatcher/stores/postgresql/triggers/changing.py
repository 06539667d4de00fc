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
from functools import partial
from typing import Any, Final

import attrs
from twisted.python.failure import Failure

from twisted_dispatcher.records import NewEvent, Worker
from twisted_dispatcher.stores.folding import Folding, Lack, foldings
from twisted_dispatcher.stores.postgresql.accepting import accept_all
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import EVENT, listed, rows
from twisted_dispatcher.triggerrecords import (
    WAITING,
    InstanceRow,
    SessionRow,
    SessionStep,
)

# A step, who is to run what it accepts, and when.
StepRequest = tuple[SessionStep, Worker, float]

SESSION: Final = "twisted_dispatcher_session"
INSTANCE: Final = "twisted_dispatcher_instance"
COLUMNS: Final = "name, task, number, status, live, body, mark"

_LOCK: Final = f"""
    SELECT uid, id, config, state, version FROM {SESSION}
    WHERE uid = ANY(%s::text[]) ORDER BY uid FOR UPDATE"""
_MAKE: Final = f"""
    INSERT INTO {SESSION} (uid) SELECT unnest(%s::text[]) ON CONFLICT (uid) DO NOTHING"""
_UNMAKE: Final = f"DELETE FROM {SESSION} WHERE id = ANY(%s::bigint[]) AND version = 0"
# The planner takes an index for each of those that are wanted, however few rows it thinks there
# are: whichever of the two is not wanted is NULL, which finds nothing.
_INSTANCES: Final = f"""
    SELECT wanted.session_id, i.* FROM json_to_recordset(%s::json) AS wanted (
        session_id bigint, task text, mark text, name text)
    CROSS JOIN LATERAL (
        SELECT {COLUMNS} FROM {INSTANCE} WHERE session_id = wanted.session_id
            AND live = {WAITING} AND task = wanted.task AND mark = wanted.mark
        UNION ALL
        SELECT {COLUMNS} FROM {INSTANCE} WHERE session_id = wanted.session_id
            AND name = wanted.name
    ) i"""
_KNOWN: Final = f"SELECT key FROM {EVENT} WHERE key = ANY(%s::text[])"
# Both tables by one statement.
_WRITE: Final = f"""
    WITH changed AS (
        UPDATE {SESSION} s SET config = coalesce(new.config, s.config),
            state = coalesce(new.state, s.state), version = s.version + 1, changed = new.changed
        FROM json_to_recordset(%s::json) AS new (
            id bigint, config text, state text, changed float8)
        WHERE s.id = new.id
    )
    INSERT INTO {INSTANCE} (session_id, {COLUMNS})
    SELECT session_id, {COLUMNS} FROM json_to_recordset(%s::json) AS new (
        session_id bigint, name text, task text, number int, status text, live int, body text,
        mark text)
    ON CONFLICT (session_id, name)
    DO UPDATE SET status = excluded.status, live = excluded.live, body = excluded.body,
        mark = excluded.mark"""


def change_all(ledger: Ledger, requests: Sequence[StepRequest]) -> list[Any]:
    """Take the steps of some calls of `ITriggerStore.change`."""
    sessions = foldings(requests)
    _load(ledger, sessions)
    known = _known(ledger, sessions)
    answers: list[Any] = [None] * len(requests)
    events: list[tuple[int, Sequence[NewEvent]]] = []
    for session in sessions.values():
        events += session.take(answers, known, partial(_load_more, ledger))
    _write(ledger, requests, sessions)
    return _accepted(ledger, requests, answers, events)


def _load(ledger: Ledger, sessions: dict[str, Folding]) -> None:
    """Lock and read the sessions, and the instances that steps need."""
    _lock(ledger, sorted(sessions), sessions)
    missing = sorted(
        uid
        for uid, session in sessions.items()
        if session.id is None and any(step.creates for _, step in session.steps)
    )
    if missing:
        ledger.write("make sessions", _MAKE, (missing,))
        _lock(ledger, missing, sessions)
    wanted: list[dict[str, Any]] = []
    for session in sessions.values():
        wanted += _wanted(session, session.lack())
    found: dict[int, list[InstanceRow]] = defaultdict(list)
    for session_id, row in _instances(ledger, wanted):
        found[session_id].append(row)
    for session in sessions.values():
        if session.id in found:
            session.join(found[session.id])


def _lock(ledger: Ledger, uids: list[str], sessions: dict[str, Folding]) -> None:
    for uid, session_id, config, state, version in ledger.read(_LOCK, (uids,)):
        sessions[uid].id = session_id
        if version:
            sessions[uid].read(SessionRow(uid, config, state))


def _load_more(ledger: Ledger, session: Folding, lack: Lack) -> list[InstanceRow]:
    return [row for _, row in _instances(ledger, _wanted(session, lack))]


def _wanted(session: Folding, lack: Lack) -> list[dict[str, Any]]:
    return [
        *({"session_id": session.id, "task": task, "mark": mark} for task, mark in lack.waiting),
        *({"session_id": session.id, "name": name} for name in lack.names),
    ]


def _instances(ledger: Ledger, wanted: list[dict[str, Any]]) -> list[tuple[int, InstanceRow]]:
    if not wanted:
        return []
    found = ledger.read(_INSTANCES, (rows(wanted),))
    return [(session_id, InstanceRow(*columns)) for session_id, *columns in found]


def _known(ledger: Ledger, sessions: dict[str, Folding]) -> set[str]:
    """Give the keys of those steps that were taken before; the sessions are locked."""
    keys = {key for session in sessions.values() for key in session.once_keys()}
    return {key for (key,) in ledger.read(_KNOWN, (sorted(keys),))} if keys else set()


def _write(ledger: Ledger, requests: Sequence[StepRequest], sessions: dict[str, Folding]) -> None:
    changed: list[dict[str, Any]] = []
    put: list[dict[str, Any]] = []
    unmade: list[int] = []
    for session in sessions.values():
        change = None if session.id is None else session.change()
        if change is not None:
            now = requests[session.steps[-1][0]][2]
            row = {"config": change.config, "state": change.state, "changed": now}
            changed.append({"id": session.id, **row})
            put += [{"session_id": session.id, **attrs.asdict(each)} for each in change.instances]
        elif session.id is not None and session.before is None:
            unmade.append(session.id)
    if changed:
        ledger.write("change sessions", _WRITE, (rows(changed), rows(put)))
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
