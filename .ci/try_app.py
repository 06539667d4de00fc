"""An application for the tiny log beside it: counts greetings and says at the end how many."""

from __future__ import annotations

import atexit

from twisted_dispatcher import Event, EventDispatcher

greetings: list[Event] = []


def setup(dispatcher: EventDispatcher) -> None:
    """Register one handler for the events of one type."""
    dispatcher.allow_keyword("type")
    dispatcher.on("during", type="greeting")(greetings.append)
    atexit.register(lambda: print(f"{len(greetings)} greetings counted"))
