"""An application for the tiny log beside it: counts greetings and says at the end how many."""

from __future__ import annotations

from collections.abc import Callable

from twisted_dispatcher import Event, EventDispatcher


def setup(dispatcher: EventDispatcher) -> Callable[[], str]:
    """Register one handler for the events of one type; give what is asked at the end."""
    greetings: list[Event] = []
    dispatcher.allow_keyword("type")
    dispatcher.on("during", type="greeting")(greetings.append)
    return lambda: f"{len(greetings)} greetings counted"
