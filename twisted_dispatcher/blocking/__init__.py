"""
The way in for synchronous programs: a dispatcher whose methods block.

`connect` starts a reactor in a thread of its own, when it is first called, and gives a
`Connection`. Nothing is started by importing this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted_dispatcher.blocking.caller import check_seconds
from twisted_dispatcher.blocking.calls import Call
from twisted_dispatcher.blocking.connection import Connection
from twisted_dispatcher.blocking.ending import before_exit
from twisted_dispatcher.blocking.face import Face
from twisted_dispatcher.blocking.lifetime import Lifetime
from twisted_dispatcher.blocking.thread import reactor_thread
from twisted_dispatcher.interfaces import IRunner
from twisted_dispatcher.service import DispatcherService
from twisted_dispatcher.settings import Settings

__all__ = ["Connection", "Face", "attach", "connect"]


def connect(
    settings: Settings | str | Mapping[str, Any],
    *,
    timeout: float = 30.0,
    setup: Callable[[DispatcherService], object] | None = None,
    runners: Mapping[str, IRunner] | None = None,
) -> Connection:
    """
    Start a dispatcher in the reactor's thread, and give a connection to it.

    :param settings: a `Settings`, the URL of a store, or a mapping of settings by their names.
    :param timeout: seconds that connecting may take, and then each call that does not say so.
    :param setup: is called with the service in the reactor's thread, before anything is
        dispatched; see `DispatcherService`.
    :param runners: runners by name; see `DispatcherService`.
    :raises InvalidSettings, StoreError: when nothing can be made of the settings.
    :raises CallTimeout: when the dispatcher is not ready in time; it is stopped again then.
    :raises ForkedProcess: when this process was forked after a reactor was there.
    :raises InReactorThread: when the caller is in the reactor's thread.
    :raises MissingExtra: when crochet is not installed.
    """
    seconds = check_seconds(timeout)
    given = Settings.of(settings)
    thread = reactor_thread()
    begin = Call(Lifetime.begin, (thread.reactor, given, setup, runners), {})
    lifetime: Lifetime = thread.run(begin, seconds)
    connection = Connection(thread, lifetime.service, seconds, lifetime.end)
    before_exit(connection.close)
    return connection


def attach(service: DispatcherService, *, timeout: float = 30.0) -> Connection:
    """
    Give a connection to a service that runs in this process already, and is stopped by its owner.

    It is for code that blocks in a daemon, such as handlers in threads.

    :param timeout: seconds that each call may take that does not say so.
    :raises ForkedProcess: when this process was forked after a reactor was there.
    """
    return Connection(reactor_thread(), service, check_seconds(timeout), None)
