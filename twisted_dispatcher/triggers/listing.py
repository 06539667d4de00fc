"""Listing and forgetting the sessions of a store."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_dispatcher.triggerrecords import SessionSummary
from twisted_dispatcher.triggers.expiring import PAGE, forget_old
from twisted_dispatcher.triggers.hub import Hub
from twisted_dispatcher.triggers.running import install


def list_sessions(
    dispatcher: Any, prefix: str = "", after: str = "", limit: int = 100
) -> Deferred[list[SessionSummary]]:
    """
    List sessions by their uids, in order; ``prefix="applicant:123/"`` lists a namespace.

    :param after: only those behind this uid, for the next page.
    """
    return install(dispatcher).store.sessions(prefix, after, limit)


def forget_session(dispatcher: Any, uid: str) -> Deferred[bool]:
    """Delete a session with all that is known of it; what runs for it ends unheard."""
    return install(dispatcher).store.forget(uid)


def expire_sessions(dispatcher: Any, older_than: float, prefix: str = "") -> Deferred[int]:
    """
    Delete the sessions to which nothing has happened for some seconds; what goes on is kept.

    Sessions are kept for ever unless somebody calls this, once a day say, or has asked for it with
    ``install(dispatcher, expire_after=...)``.

    :return: a Deferred that fires with their number. Cancelling it stops; what was deleted stays.
    """
    return Deferred.fromCoroutine(_expire(install(dispatcher), older_than, prefix))


async def _expire(hub: Hub, older_than: float, prefix: str) -> int:
    before = hub.clock.seconds() - older_than
    count, after = 0, ""
    while page := await hub.store.sessions(prefix, after, PAGE):
        count += await forget_old(hub.store, page, before)
        after = page[-1].uid
    return count
