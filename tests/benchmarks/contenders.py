"""What takes part in a measurement, and the check that it does the work it is timed for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from tests.benchmarks.handlers import Handler, Maker, plain
from tests.benchmarks.timing import Burst

CHECKED_TURNS = 3
INSTALL = "pip install -e .[benchmark]"

Build = Callable[[Sequence[Handler]], Burst]


class WrongCalls(AssertionError):
    """A contender does not call the handlers that it is timed for."""


class MissingPeer(Exception):
    """A library to compare with is not installed."""


@frozen
class Contender:
    """One way to do what a scenario asks for.

    C{build} registers the handlers and gives the burst whose turns are timed.  One turn fires
    C{events} events (or registers so many handlers) and calls C{calls} handlers.
    """

    name: str
    build: Build
    handlers: int = 1
    calls: int = 1
    events: int = 1
    maker: Maker = plain


def prepare(contender: Contender) -> Burst:
    """Checks the contender with handlers that count, and builds it with quiet ones.

    Raises WrongCalls if a turn does not call as many handlers as it should, and MissingPeer if
    what it needs is not installed.
    """
    try:
        check(contender)
    except ImportError as error:
        if error.name is None or error.name.startswith("twisted_dispatcher"):
            raise
        raise MissingPeer(f"{contender.name}: {error.name} is not installed: {INSTALL}") from error
    return contender.build([contender.maker(None) for _ in range(contender.handlers)])


def check(contender: Contender) -> None:
    """Runs a few turns with handlers that count, and raises WrongCalls if the count is wrong."""
    tally: list[Any] = []
    burst = contender.build([contender.maker(tally.append) for _ in range(contender.handlers)])
    burst(CHECKED_TURNS)
    expected = CHECKED_TURNS * contender.calls
    if len(tally) != expected:
        raise WrongCalls(f"{contender.name} called {len(tally)} handlers instead of {expected}")
