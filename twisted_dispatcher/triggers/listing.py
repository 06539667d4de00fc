"""Listing and forgetting the sessions of a store."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from twisted_dispatcher.triggerrecords import SessionSummary
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
