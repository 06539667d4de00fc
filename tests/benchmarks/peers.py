"""Fires one event at all of a few handlers, with each peer in its fastest fair way.

A peer that can hold handlers strongly does.  Each function registers the handlers and gives the
burst that fires; each imports its peer itself, so that a missing one harms no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

from tests.benchmarks.contenders import Build, Contender
from tests.benchmarks.handlers import (
    EVENT,
    Handler,
    Happened,
    Maker,
    answering,
    keyworded,
    of_sender,
    plain,
)
from tests.benchmarks.timing import Burst


def contenders(handlers: int) -> list[Contender]:
    """Gives every peer with so many handlers, all called by each event; the bare loop first."""

    def contender(name: str, build: Build, maker: Maker = plain) -> Contender:
        return Contender(name, build, handlers=handlers, calls=handlers, maker=maker)

    return [
        contender("bare loop", bare_loop),
        contender("bare loop, values", bare_loop_keeping_values, answering),
        contender("zope.event", zope_event),
        contender("zope.component handle", zope_component),
        contender("pyee", pyee),
        contender("blinker, by sender", blinker, of_sender),
        contender("Django Signal", django_signal, keyworded),
        contender("psygnal", psygnal),
        contender("pydispatcher", pydispatcher),
    ]


def bare_loop(handlers: Sequence[Handler]) -> Burst:
    """Calls a function that calls the handlers in a loop: what no dispatcher can beat."""
    handlers = list(handlers)

    def fire(event: object) -> None:
        for handler in handlers:
            handler(event)

    return calling(fire)


def bare_loop_keeping_values(handlers: Sequence[Handler]) -> Burst:
    """Calls a function that calls the handlers and gives a list of what they returned."""
    handlers = list(handlers)

    def fire(event: object) -> list[object]:
        return [handler(event) for handler in handlers]

    return calling(fire)


def calling(fire: Handler) -> Burst:
    """Gives the burst that calls a function with the event."""
    event = EVENT

    def burst(turns: int) -> None:
        for _ in repeat(None, turns):
            fire(event)

    return burst


def zope_event(handlers: Sequence[Handler]) -> Burst:
    """Notifies zope.event's one global list, which is the burst's own while it runs."""
    import zope.event

    subscribers = zope.event.subscribers
    event = EVENT

    def burst(turns: int) -> None:
        before = subscribers[:]
        subscribers[:] = handlers
        notify = zope.event.notify
        for _ in repeat(None, turns):
            notify(event)
        subscribers[:] = before

    return burst


def zope_component(handlers: Sequence[Handler]) -> Burst:
    """Hands the event to a component registry's handlers for the event's interface."""
    from zope.component.globalregistry import BaseGlobalComponents
    from zope.interface import Interface, directlyProvides

    class IHappened(Interface):
        """Marks the event."""

    event = Happened()
    directlyProvides(event, IHappened)
    components = BaseGlobalComponents("benchmark")
    for handler in handlers:
        components.registerHandler(handler, (IHappened,), event=False)

    def burst(turns: int) -> None:
        handle = components.handle
        for _ in repeat(None, turns):
            handle(event)

    return burst


def pyee(handlers: Sequence[Handler]) -> Burst:
    """Emits the event by name."""
    from pyee.base import EventEmitter

    emitter = EventEmitter()
    event = EVENT
    for handler in handlers:
        emitter.on("login", handler)

    def burst(turns: int) -> None:
        emit = emitter.emit
        for _ in repeat(None, turns):
            emit("login", event)

    return burst


def blinker(handlers: Sequence[Handler]) -> Burst:
    """Sends a signal to the receivers of one sender."""
    from blinker import Signal

    signal = Signal()
    event = EVENT
    for handler in handlers:
        signal.connect(handler, sender="login", weak=False)

    def burst(turns: int) -> None:
        send = signal.send
        for _ in repeat(None, turns):
            send("login", event=event)

    return burst


def django_signal(handlers: Sequence[Handler]) -> Burst:
    """Sends a signal to the receivers of any sender."""
    from django.conf import settings
    from django.dispatch import Signal

    if not settings.configured:
        settings.configure()
    signal = Signal()
    event = EVENT
    for handler in handlers:
        signal.connect(handler, weak=False)

    def burst(turns: int) -> None:
        send = signal.send
        for _ in repeat(None, turns):
            send("login", event=event)

    return burst


def psygnal(handlers: Sequence[Handler]) -> Burst:
    """Emits a signal (compiled code, where its wheel has it)."""
    from psygnal import SignalInstance

    signal = SignalInstance((object,))
    event = EVENT
    for handler in handlers:
        signal.connect(handler)

    def burst(turns: int) -> None:
        emit = signal.emit
        for _ in repeat(None, turns):
            emit(event)

    return burst


def pydispatcher(handlers: Sequence[Handler]) -> Burst:
    """Sends a named signal of a sender of its own, with which the global tables' entries end."""
    from pydispatch import dispatcher

    event = EVENT
    sender = Happened()
    for handler in handlers:
        dispatcher.connect(handler, "login", sender, weak=False)

    def burst(turns: int) -> None:
        send = dispatcher.send
        for _ in repeat(None, turns):
            send("login", sender, event)

    return burst
