"""Tests of the durable handlers of a dispatcher, by their names."""

from __future__ import annotations

import sys
from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher import DurableDispatcher, HandlerOptions, open_store
from twisted_dispatcher.durable.roster import Roster
from twisted_dispatcher.errors import NameTaken
from twisted_dispatcher.registration.handlers import Handler


def handler(number: int, name: str, durable: bool | None = None) -> Handler:
    """Make a registered handler that does nothing."""
    options = HandlerOptions(name=name, durable=durable)
    made = Handler(number, "during", options, ("here.py", 1), name)
    made.call = lambda event: None
    return made


class RosterTests(SynchronousTestCase):
    """The roster by itself."""

    def setUp(self) -> None:
        """Make one with a handler."""
        self.roster = Roster()
        self.first = handler(1, "a")
        self.roster.add([self.first])

    def test_taken(self) -> None:
        """A name that is taken is refused, by another handler as by one that comes with it."""
        self.assertRaises(NameTaken, self.roster.check, [handler(2, "a")], ())
        self.assertRaises(NameTaken, self.roster.check, [handler(2, "b"), handler(3, "b")], ())

    def test_replaced(self) -> None:
        """The name of a handler that makes room is free, and so is that of one that is gone."""
        self.roster.check([handler(2, "a")], [1])
        self.first.retire()
        self.roster.check([handler(2, "a")], ())

    def test_in_memory(self) -> None:
        """Handlers that are called in memory only have any name, and are not listed."""
        other = handler(2, "a", durable=False)
        self.roster.check([other], ())
        self.roster.add([other])

        self.assertEqual({"a": self.first}, self.roster.all())

    def test_gone(self) -> None:
        """What is gone is not listed."""
        second = handler(2, "b")
        self.roster.add([second])
        self.first.retire()

        self.assertEqual({"b": second}, self.roster.all())

    def test_forgets(self) -> None:
        """Handlers that come and go leave nothing behind but a few names."""
        for number in range(2, 5000):
            passing = handler(number, f"passing {number}")
            self.roster.add([passing])
            passing.retire()

        self.assertLess(len(self.roster._handlers), 200)


class RegistrationTests(SynchronousTestCase):
    """What a registration costs in steps of the interpreter."""

    def calls_of(self, function: Callable[[], object]) -> int:
        """Count the calls of functions, Python's and C's."""
        count = 0

        def profile(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(profile)
        try:
            function()
        finally:
            sys.setprofile(None)
        return count

    def test_linear(self) -> None:
        """To register a handler costs the same, however many there are."""
        store = open_store("sqlite://", reactor=Clock())
        self.addCleanup(store.close)
        dispatcher = DurableDispatcher(store, ("kind",), clock=Clock())

        def register(first: int, last: int) -> None:
            for number in range(first, last):
                options = HandlerOptions(name=f"handler {number}")
                dispatcher.on(kind=str(number), options=options)(lambda event: None)

        few = self.calls_of(lambda: register(0, 100))
        register(100, 3000)
        many = self.calls_of(lambda: register(3000, 3100))
        self.assertLess(many, 2 * few)
