"""What people ask about sessions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from twisted.python.failure import Failure

from twisted_dispatcher.errors import UnknownSession
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.triggers.changing import COLUMNS, INSTANCE, SESSION
from twisted_dispatcher.triggerrecords import (
    ACTIVE,
    LAST,
    OPEN,
    WAITING,
    InstanceRow,
    SessionRow,
    SessionSummary,
)

# One statement, so that all of it stands as it was at one time.
_SESSION: Final = f"""
    SELECT uid, config, state, {COLUMNS} FROM {SESSION} s
    LEFT JOIN {INSTANCE} i ON i.session_id = s.id {{}}
    WHERE uid = ANY(%s::text[]) AND version > 0 ORDER BY task, number"""
_ALL: Final = _SESSION.format("")
_LIVE: Final = _SESSION.format("AND i.live IS NOT NULL")
_COUNT: Final = f"""
    SELECT uid, count(*) FROM {SESSION} s
    JOIN {INSTANCE} i ON i.session_id = s.id AND i.live = {ACTIVE}
    WHERE uid = ANY(%s::text[]) GROUP BY uid"""


def _number(live: int) -> str:
    return f"(SELECT count(*) FROM {INSTANCE} WHERE session_id = s.id AND live = {live})"


_LIST: Final = f"""
    SELECT uid, changed, {_number(WAITING)}, {_number(ACTIVE)}, {_number(OPEN)}
    FROM {SESSION} s
    WHERE uid >= %s AND uid > %s AND uid < %s AND version > 0 ORDER BY uid LIMIT %s"""
# The session first: whoever changes it has its row, and the instances only with it.
_HOLD: Final = f"SELECT id, changed FROM {SESSION} WHERE uid = %s FOR UPDATE"
_GOES_ON: Final = f"""
    SELECT 1 FROM {INSTANCE} WHERE session_id = %s::bigint AND live = {ACTIVE} LIMIT 1"""
_FORGET_INSTANCES: Final = f"DELETE FROM {INSTANCE} WHERE session_id = %s::bigint"
_FORGET: Final = f"DELETE FROM {SESSION} WHERE id = %s::bigint"


def session_of_each(ledger: Ledger, requests: Sequence[tuple[str, bool]]) -> list[Any]:
    """Give the sessions of some calls of `ITriggerStore.session`, as they stand at one time."""
    found: dict[tuple[str, bool], list[Any]] = defaultdict(list)
    for wanted in sorted({live for _, live in requests}):
        uids = sorted({uid for uid, live in requests if live == wanted})
        for row in ledger.read(_LIVE if wanted else _ALL, (uids,)):
            found[row[0], wanted].append(row)
    return [_session(uid, found.get((uid, live))) for uid, live in requests]


def _session(uid: str, found: list[Any] | None) -> Any:
    if found is None:
        return Failure(UnknownSession(uid))
    return SessionRow(*found[0][:3]), [
        InstanceRow(*row[3:]) for row in found if row[3] is not None
    ]


def active_of_each(ledger: Ledger, requests: Sequence[tuple[str]]) -> list[int]:
    """Count what goes on, for some calls of `ITriggerStore.active`."""
    uids = sorted({uid for (uid,) in requests})
    counts = dict(ledger.read(_COUNT, (uids,)))
    return [counts.get(uid, 0) for (uid,) in requests]


def sessions(ledger: Ledger, prefix: str, after: str, limit: int) -> list[SessionSummary]:
    """List sessions; see `ITriggerStore.sessions`."""
    found = ledger.read(_LIST, (prefix, after, prefix + LAST, limit))
    return [SessionSummary(*row) for row in found]


def forget(ledger: Ledger, uid: str, before: float | None) -> bool:
    """Delete a session; see `ITriggerStore.forget`."""
    found = ledger.read(_HOLD, (uid,))
    if not found:
        return False
    ((session_id, changed),) = found
    if before is not None and (changed >= before or ledger.read(_GOES_ON, (session_id,))):
        return False
    ledger.write("forget instances", _FORGET_INSTANCES, (session_id,))
    ledger.write("forget session", _FORGET, (session_id,))
    return True
