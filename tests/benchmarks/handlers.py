"""The handlers that are called: ones that do nothing for the clock, ones that count for the check.

Each maker gives a new function every time, because the peers tell handlers apart by identity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed

Handler = Callable[..., Any]
Count = Callable[[object], None]
Maker = Callable[["Count | None"], Handler]


class Happened:
    """An event: an object that can be referenced weakly, as some peers demand of a sender."""


EVENT = Happened()


def plain(count: Count | None) -> Handler:
    """Makes a plain function that returns nothing."""

    def handler(event: object) -> None:
        pass

    return handler if count is None else counted(handler, count)


def answering(count: Count | None) -> Handler:
    """Makes a plain function that returns a value."""

    def handler(event: object) -> int:
        return 42

    return handler if count is None else counted(handler, count)


def deferring(count: Count | None) -> Handler:
    """Makes a function that returns a Deferred which has already fired."""

    def handler(event: object) -> Deferred[None]:
        return succeed(None)

    return handler if count is None else counted(handler, count)


def coroutine(count: Count | None) -> Handler:
    """Makes a coroutine function that never waits."""

    async def handler(event: object) -> None:
        pass

    return handler if count is None else counted(handler, count)


def awaiting(count: Count | None) -> Handler:
    """Makes a coroutine function that awaits a Deferred which has already fired."""

    async def handler(event: object) -> None:
        await succeed(None)

    return handler if count is None else counted(handler, count)


def of_sender(count: Count | None) -> Handler:
    """Makes a plain function of a sender and the event, as blinker calls its receivers."""

    def handler(sender: object, event: object) -> None:
        pass

    def counting(sender: object, event: object) -> None:
        assert count is not None
        count(event)

    return handler if count is None else counting


def keyworded(count: Count | None) -> Handler:
    """Makes a plain function of a sender and keywords, as Django's Signal demands of receivers."""

    def handler(sender: object, **details: object) -> None:
        pass

    def counting(sender: object, **details: object) -> None:
        assert count is not None
        count(details["event"])

    return handler if count is None else counting


def counted(handler: Handler, count: Count) -> Handler:
    """Wraps a handler of one argument so that each call of it counts."""

    def counting(event: object) -> object:
        count(event)
        return handler(event)

    return counting
