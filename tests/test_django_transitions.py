"""Transitions whose plain methods are called in threads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.chains import NEW, ChainDispatcher, Transition, exactly_once
from twisted_dispatcher.chains.configuration import configuration_of
from twisted_dispatcher.django.transitions import callback_in_threads, in_threads
from twisted_dispatcher.testing import clocked_durable_dispatcher, pump


class Bill(Transition):
    """Is made of plain code."""

    final_state = "billed"

    def is_valid(self) -> bool:
        return True

    def build_context(self) -> dict[str, Any]:
        return {"amount": 10}

    def callback(self) -> None:
        """Take the money."""


class Dun(Transition):
    """Waits for its time, and is asynchronous."""

    final_state = "dunned"
    not_before = timedelta(days=1)

    async def build_context(self) -> dict[str, Any]:
        return {}


class Book(Transition):
    """Is given up some day, and calls where the store commits."""

    final_state = "booked"
    guarantee = "exactly-once"
    give_up_after = timedelta(days=1)
    otherwise = Bill

    def is_valid(self) -> bool:
        return True

    def callback(self, transaction: Any) -> None:
        transaction.execute("SELECT 1")


def configuration(*transitions: type[Transition]) -> dict[str, Any]:
    """Give a configuration in which these lead on from NEW."""
    ways: dict[str, list[Any]] = {NEW: list(transitions)}
    for each in transitions:
        ways |= {each.final_state: []} | ({"billed": []} if each.otherwise else {})
    return {"chains": [{"chain_type": "bill", "transitions": ways}]}


class InThreadsTests(SynchronousTestCase):
    """What becomes of a configuration."""

    def setUp(self) -> None:
        """Take note of what is called, here and now."""
        self.called: list[str] = []

    def threads(self, function: Any, *arguments: Any, **keywords: Any) -> Deferred[Any]:
        """Call a function where it is seen."""
        self.called.append(function.__name__)
        return maybeDeferred(function, *arguments, **keywords)

    def moved(self, *transitions: type[Transition]) -> list[Any]:
        """Give the transitions as they are afterwards."""
        entry = in_threads(configuration(*transitions), self.threads)["chains"][0]
        return list(entry["transitions"][NEW])

    def test_plain_code(self) -> None:
        """Plain methods are called in threads when the chain is executed."""
        dispatcher, clock = clocked_durable_dispatcher()
        configs = in_threads(configuration(Bill), self.threads)
        chains = ChainDispatcher("bill", configs, dispatcher=dispatcher)
        pump(clock, chains.get_or_create_chain([("customer", "ada")]))

        result = pump(clock, chains.execute_chain())

        self.assertEqual(["is_valid", "build_context", "callback"], self.called)
        self.assertEqual("billed", result.state)
        self.assertIsInstance(result.transition, Bill)
        self.assertEqual({"amount": 10}, result.transition.context)

    def test_same_definition(self) -> None:
        """The configuration means the same: its chains are not those of another one."""
        plain = configuration(Book, Dun)

        moved = in_threads(plain, self.threads)

        definitions = [configuration_of("bill", each).definition for each in (plain, moved)]
        self.assertEqual(definitions[0], definitions[1])
        self.assertEqual(["Book", "Dun"], [each.__name__ for each in self.moved(Book, Dun)])

    def test_left_alone(self) -> None:
        """What is asynchronous, inherited, or called exactly once is as it was."""
        book, dun = self.moved(Book, Dun)

        self.assertIs(Dun.build_context, dun.build_context)
        self.assertIs(Transition.is_valid, dun.is_valid)
        self.assertIs(Book.callback, book.callback)
        self.assertIsNot(Book.is_valid, book.is_valid)

    def test_otherwise(self) -> None:
        """What stands in for another one is moved as well, and is the same everywhere."""
        book, bill = self.moved(Book, Bill)

        self.assertIs(bill, book.otherwise)

    def test_callbacks(self) -> None:
        """A plain callback is called in a thread; one for exactly once, or none, is as it was."""
        pump_it = callback_in_threads(len, self.threads)
        self.assertEqual(3, self.successResultOf(pump_it("abc")))
        self.assertEqual(["len"], self.called)

        @exactly_once
        def note(transition: Any, transaction: Any) -> None:
            pass

        for callback in (note, None):
            self.assertIs(callback, callback_in_threads(callback, self.threads))
