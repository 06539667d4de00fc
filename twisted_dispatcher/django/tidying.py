"""
The connections of the present thread, in which handlers use the ORM.

What Django does around a request is done here around a handler, with one difference: a connection
that Django would close after each request, as ``CONN_MAX_AGE`` is 0, is kept for the next handler.
It is closed when there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connections
from twisted.logger import Logger

_log = Logger()


def mend() -> None:
    """
    Leave this thread's connections as the next handler may use them: usable, or closed.

    A transaction that was left open is rolled back. A connection that has reached its
    ``CONN_MAX_AGE``, if that is above 0, is closed.
    """
    for connection in connections.all(initialized_only=True):
        connection.queries_log.clear()
        if connection.in_atomic_block:
            connection.close()
            del connections[connection.alias]
        else:
            connection.health_check_enabled = connection.settings_dict["CONN_HEALTH_CHECKS"]
            _close_if_unusable(connection)


def doubt() -> None:
    """
    Have the next handler's first query see whether its connection works still, or open another.

    So a server that was restarted while a thread had nothing to do harms no handler.
    """
    for connection in _opened():
        _close_if_unusable(connection)
        connection.health_check_enabled, connection.health_check_done = True, False


def _close_if_unusable(connection: Any) -> None:
    """Close a connection that cannot be used again, or has reached an age that is above 0."""
    until = connection.close_at
    if connection.settings_dict["CONN_MAX_AGE"] == 0:
        connection.close_at = None
    connection.close_if_unusable_or_obsolete()
    connection.close_at = until


def close_old() -> bool:
    """Close the connections that are older than ``CONN_MAX_AGE``; tell whether others are left."""
    return _close(lambda connection: connection.close_if_unusable_or_obsolete())


def close_all() -> bool:
    """Close the connections; tell whether any is left, which none is."""
    return _close(lambda connection: connection.close())


def _close(close: Callable[[Any], object]) -> bool:
    for connection in _opened():
        try:
            close(connection)
        except Exception:
            _log.failure("A connection to {alias} could not be closed", alias=connection.alias)
    return any(_opened())


def _opened() -> Iterator[Any]:
    """Give the connections that are open in this thread."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None:
            yield connection
