"""What people ask about sessions."""

from __future__ import annotations

import sqlite3
from typing import Any

from twisted_dispatcher.errors import UnknownSession
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.triggers.changing import COLUMNS, INSTANCE, SESSION
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
_SESSION = f"""
    SELECT uid, config, state, {COLUMNS} FROM {SESSION} s
    LEFT JOIN {INSTANCE} i ON i.session_id = s.id {{}}
    WHERE uid = ? ORDER BY task, number"""
_ALL = _SESSION.format("")
_LIVE = _SESSION.format("AND i.live IS NOT NULL")
_COUNT = f"""
    SELECT count(*) FROM {INSTANCE}
    WHERE session_id = (SELECT id FROM {SESSION} WHERE uid = ?) AND live = {ACTIVE}"""


def _number(live: int) -> str:
    return f"(SELECT count(*) FROM {INSTANCE} WHERE session_id = s.id AND live = {live})"


_LIST = f"""
    SELECT uid, changed, {_number(WAITING)}, {_number(ACTIVE)}, {_number(OPEN)}
    FROM {SESSION} s WHERE uid >= ? AND uid > ? AND uid < ? ORDER BY uid LIMIT ?"""
# With a time: only a session that is older, and of which nothing goes on.
_CHOOSE = f"""
    SELECT id FROM {SESSION} s WHERE uid = ?1 AND (?2 IS NULL OR (changed < ?2 AND NOT EXISTS (
        SELECT 1 FROM {INSTANCE} WHERE session_id = s.id AND live = {ACTIVE})))"""
_FORGET_INSTANCES = f"DELETE FROM {INSTANCE} WHERE session_id = ?"
_FORGET = f"DELETE FROM {SESSION} WHERE id = ?"
_IS_FORGOTTEN = f"SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM {SESSION} WHERE uid = ?)"


def session(
    reader: sqlite3.Connection, uid: str, live: bool
) -> tuple[SessionRow, list[InstanceRow]]:
    """Give a session; see `ITriggerStore.session`."""
    rows = reader.execute(_LIVE if live else _ALL, (uid,)).fetchall()
    if not rows:
        raise UnknownSession(uid)
    return SessionRow(*rows[0][:3]), [InstanceRow(*row[3:]) for row in rows if row[3] is not None]


def active(reader: sqlite3.Connection, uid: str) -> int:
    """Count what goes on; see `ITriggerStore.active`."""
    ((count,),) = reader.execute(_COUNT, (uid,)).fetchall()
    return int(count)


def sessions(
    reader: sqlite3.Connection, prefix: str, after: str, limit: int
) -> list[SessionSummary]:
    """List sessions; see `ITriggerStore.sessions`."""
    found: list[Any] = reader.execute(_LIST, (prefix, after, prefix + LAST, limit)).fetchall()
    return [SessionSummary(*row) for row in found]


def forget(ledger: Ledger, uid: str, before: float | None) -> bool:
    """Delete a session; see `ITriggerStore.forget`."""
    found = ledger.read(_CHOOSE, (uid, before))
    for (session_id,) in found:
        ledger.write("forget instances", _FORGET_INSTANCES, (session_id,))
        ledger.write("forget session", _FORGET, (session_id,))
        ledger.witness = (_IS_FORGOTTEN, (uid,))
    return bool(found)
