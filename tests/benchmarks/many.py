"""Fires at one of very many handlers, each registered for a user of its own; and registers them.

Every contender selects by the user alone.  Peers that can only walk through all their handlers
are left out: at 100,000 handlers they need milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import cycle, islice, repeat
from random import Random

from tests.benchmarks.contenders import Contender
from tests.benchmarks.handlers import EVENT, Handler, Happened, Maker, of_sender, plain
from tests.benchmarks.ours import KEYWORDS
from tests.benchmarks.timing import Burst
from twisted_dispatcher.dispatcher import EventDispatcher

FireAt = Callable[[Iterable[str]], None]
Register = Callable[[Sequence[Handler], Sequence[str]], FireAt]
Fire = Callable[[Register, Sequence[Handler]], Burst]


def fixed_contenders(handlers: int, million: bool) -> list[Contender]:
    """Gives those that fire the same event again and again."""
    sizes = [handlers, *([1_000_000] if million else [])]
    return [
        contender("ours", fixed, 10),
        *(contender("ours", fixed, size) for size in sizes),
        *(contender(name, fixed, handlers) for name in OTHERS),
    ]


def random_contenders(handlers: int) -> list[Contender]:
    """Gives those that fire each event at another handler, in an order without pattern."""
    return [contender(name, scattered, size) for name in EVERYBODY for size in (10, handlers)]


def registration_contenders(handlers: int) -> list[Contender]:
    """Gives those whose turn registers so many handlers, and fires once to prove it."""
    return [
        Contender(
            name,
            partial(registering, register),
            handlers=handlers,
            events=handlers,
            maker=maker_for(name),
        )
        for name, register in EVERYBODY.items()
    ]


def contender(name: str, fire: Fire, handlers: int) -> Contender:
    """Gives a contender of so many handlers, one of which each event calls."""
    build = partial(fire, EVERYBODY[name])
    return Contender(f"{name}, {handlers:,}", build, handlers=handlers, maker=maker_for(name))


def maker_for(name: str) -> Maker:
    """Gives the maker of handlers that a library can call."""
    return of_sender if name == BLINKER else plain


def users(count: int) -> list[str]:
    """Gives as many distinct values as there are handlers."""
    return [f"user-{number}" for number in range(count)]


def fixed(register: Register, handlers: Sequence[Handler]) -> Burst:
    """Fires always at the handler in the middle."""
    names = users(len(handlers))
    fire_at = register(handlers, names)
    target = names[len(names) // 2]
    return lambda turns: fire_at(repeat(target, turns))


def scattered(register: Register, handlers: Sequence[Handler]) -> Burst:
    """Fires at all handlers in a shuffled order, so that what was just used is of no help."""
    names = users(len(handlers))
    fire_at = register(handlers, names)
    Random(len(names)).shuffle(names)
    order = cycle(names)
    return lambda turns: fire_at(islice(order, turns))


def registering(register: Register, handlers: Sequence[Handler]) -> Burst:
    """Registers all handlers afresh in each turn, and gives what holds them."""
    names = users(len(handlers))

    def burst(turns: int) -> list[FireAt]:
        kept = []
        for _ in repeat(None, turns):
            fire_at = register(handlers, names)
            fire_at(names[:1])
            kept.append(fire_at)
        return kept

    return burst


def ours(handlers: Sequence[Handler], names: Sequence[str]) -> FireAt:
    """Registers for a value of one keyword, and fires with three."""
    dispatcher = EventDispatcher(KEYWORDS)
    dispatcher.start()
    add = dispatcher.add_event_handler
    for handler, name in zip(handlers, names, strict=True):
        add(handler, "during", False, user=name)
    event = EVENT

    def fire_at(targets: Iterable[str]) -> None:
        fire = dispatcher.fire_event
        for user in targets:
            fire(event, event_type="login", user=user, role="admin")

    return fire_at


def pyee(handlers: Sequence[Handler], names: Sequence[str]) -> FireAt:
    """Listens to an event name for each user."""
    from pyee.base import EventEmitter

    emitter = EventEmitter()
    for handler, name in zip(handlers, names, strict=True):
        emitter.on(name, handler)
    event = EVENT

    def fire_at(targets: Iterable[str]) -> None:
        emit = emitter.emit
        for user in targets:
            emit(user, event)

    return fire_at


def blinker(handlers: Sequence[Handler], names: Sequence[str]) -> FireAt:
    """Connects to one signal with the user as the sender."""
    from blinker import Signal

    signal = Signal()
    for handler, name in zip(handlers, names, strict=True):
        signal.connect(handler, sender=name, weak=False)
    event = EVENT

    def fire_at(targets: Iterable[str]) -> None:
        send = signal.send
        for user in targets:
            send(user, event=event)

    return fire_at


def pydispatcher(handlers: Sequence[Handler], names: Sequence[str]) -> FireAt:
    """Connects to a signal for each user, all of one sender."""
    from pydispatch import dispatcher

    sender = Happened()
    for handler, name in zip(handlers, names, strict=True):
        dispatcher.connect(handler, name, sender, weak=False)
    event = EVENT

    def fire_at(targets: Iterable[str]) -> None:
        send = dispatcher.send
        for user in targets:
            send(user, sender, event)

    return fire_at


BLINKER = "blinker, by sender"
OTHERS: dict[str, Register] = {"pyee": pyee, BLINKER: blinker, "pydispatcher": pydispatcher}
EVERYBODY: dict[str, Register] = {"ours": ours, **OTHERS}
