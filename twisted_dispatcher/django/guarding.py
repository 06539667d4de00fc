"""
Keeps the ORM out of the reactor's thread.

A query there would hold up everything that the reactor does, on a connection that nobody tidies.
Django has the same guard for the threads of asyncio, and does not know Twisted's reactors.
"""

from __future__ import annotations

from typing import NoReturn

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


def _refuse() -> NoReturn:
    raise OrmInReactorThread


def refuse_orm() -> None:
    """Let the present thread, which is the reactor's, have no connection from now on."""
    for connection in connections.all():
        connection.close()
        connection.connect = _refuse


def admit_orm() -> None:
    """Let the present thread use the ORM again, when the reactor is done with it."""
    for connection in connections.all():
        vars(connection).pop("connect", None)
