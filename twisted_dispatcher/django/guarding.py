"""
Keeps the ORM out of the reactor's thread.

A query there would hold up everything that the reactor does, on a connection that nobody tidies.
Django has the same guard for the threads of asyncio, and does not know Twisted's reactors.
"""

from __future__ import annotations

from typing import Any, NoReturn

from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections

from twisted_dispatcher.errors import DispatcherError


class OrmInReactorThread(DispatcherError, SynchronousOnlyOperation):
    """The ORM was used in the reactor's thread, which must not wait."""

    def __init__(self) -> None:
        super().__init__(
            "the ORM cannot be used in the reactor's thread, where an async def handler runs: "
            "make the handler a plain function, which is called in a thread of its own, or have "
            "that part done by await in_thread(function, ...) of twisted_dispatcher.django.threads"
        )


def _refuse(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> NoReturn:
    context["connection"].close()
    raise OrmInReactorThread


def refuse_orm() -> None:
    """Refuse all queries of the present thread from now on, which is the reactor's."""
    for connection in connections.all():
        if _refuse not in connection.execute_wrappers:
            connection.close()
            connection.execute_wrappers.append(_refuse)


def admit_orm() -> None:
    """Let the present thread use the ORM again, when the reactor is done with it."""
    for connection in connections.all(initialized_only=True):
        if _refuse in connection.execute_wrappers:
            connection.execute_wrappers.remove(_refuse)
