"""Replacing handlers by others at once."""

from __future__ import annotations

import gc
from typing import Any

from twisted.internet.defer import Deferred

from tests.dispatching import DispatcherTestCase, Recorder, Waiting, noting
from twisted_dispatcher import HandlerOptions, errors
from twisted_dispatcher.interfaces import Registration


class ReplaceTests(DispatcherTestCase):
    """Replacing handlers at once."""

    def setUp(self) -> None:
        """Make a dispatcher with two handlers."""
        super().setUp()
        self.log: list[str] = []
        self.dispatcher = self.make("user", "role")
        self.first = self.add(self.dispatcher, noting(self.log, "first"), user="bob")
        self.second = self.add(self.dispatcher, noting(self.log, "second"), "after")

    def replace(self, *arguments: Any) -> Deferred[list[int]]:
        """Replace on the dispatcher."""
        return self.dispatcher.replace_event_handlers(*arguments)

    def called(self) -> list[str]:
        """Fire an event and tell who was called."""
        self.log.clear()
        self.fire(self.dispatcher, user="bob", role="admin")
        return list(self.log)

    def test_swaps(self) -> None:
        """The named handlers are gone, and the new ones are there, with ids in their order."""
        new: list[Registration] = [
            ((noting(self.log, "third"), "before", False), {"role": "admin"}),
            ((noting(self.log, "fourth"), "during", False), {}),
        ]
        ids = self.successResultOf(self.replace([self.first], new))

        self.assertEqual(self.called(), ["third", "fourth", "second"])
        self.assertEqual(len({*ids, self.first, self.second}), 4)
        for handler_id in ids:
            self.successResultOf(self.dispatcher.remove_event_handler(handler_id))
        self.assertEqual(self.called(), ["second"])

    def test_keyword_arguments(self) -> None:
        """A registration takes every argument of add_event_handler, by name as well."""
        options = HandlerOptions(times=1)
        handler = noting(self.log, "once")
        keywords = {"listen_fn": handler, "phase": "before", "use_weakref": False}
        new: list[Registration] = [((), {**keywords, "options": options, "user": "bob"})]
        self.successResultOf(self.replace([self.first, self.second], new))

        self.assertEqual(self.called(), ["once"])
        self.assertEqual(self.called(), [])

    def test_from_iterators(self) -> None:
        """Ids and registrations may come from iterators."""
        new: list[Registration] = [
            ((noting(self.log, name), "during", False), {}) for name in "ab"
        ]
        self.successResultOf(self.replace(iter([self.first, self.second]), iter(new)))

        self.assertEqual(self.called(), ["a", "b"])

    def test_only_removes(self) -> None:
        """Handlers can be swapped for none."""
        ids = self.successResultOf(self.replace([self.first, self.second], []))

        self.assertEqual((ids, self.called()), ([], []))

    def test_only_adds(self) -> None:
        """None can be swapped for handlers."""
        new: list[Registration] = [((noting(self.log, "third"), "after", False), {})]
        self.successResultOf(self.replace([], new))

        self.assertEqual(self.called(), ["first", "second", "third"])

    def test_unknown_id(self) -> None:
        """With one id that is unknown nothing is removed and nothing added."""
        before = list(self.dispatcher.describe())
        new: list[Registration] = [((noting(self.log, "third"), "after", False), {})]
        failing = self.replace([self.first, 999, self.second], new)

        self.failureResultOf(failing, errors.UnknownHandler)
        self.assertEqual(list(self.dispatcher.describe()), before)
        self.assertEqual(self.called(), ["first", "second"])

    def test_misuse(self) -> None:
        """With one registration that is refused, at once, nothing is removed and nothing added."""
        before = list(self.dispatcher.describe())
        good: Registration = ((noting(self.log, "third"), "after", False), {})
        handler = Recorder()
        for error, bad in [
            (errors.UnknownPhase, ((handler, "durign"), {})),
            (errors.UnknownKeyword, ((handler, "during"), {"usr": "bob"})),
            (errors.UnhashableValue, ((handler, "during"), {"user": []})),
            (errors.NotCallable, ((None, "during"), {})),
            (errors.InvalidOptions, ((handler, "during"), {"options": {}})),
            (TypeError, ((handler,), {})),
            (TypeError, ((handler, "during", True, None, "more"), {})),
        ]:
            self.assertRaises(error, self.replace, [self.first], [good, bad])

        self.assertEqual(list(self.dispatcher.describe()), before)
        self.assertEqual(self.called(), ["first", "second"])

    def test_weak_by_default(self) -> None:
        """A handler that replaces another is held weakly unless said otherwise (E15)."""
        handler = Recorder()
        self.successResultOf(self.replace([self.first, self.second], [((handler, "during"), {})]))
        self.assertEqual(len(self.dispatcher.describe()), 1)
        del handler
        gc.collect()

        self.assertEqual(list(self.dispatcher.describe()), [])

    def test_atomic_for_nested_fires(self) -> None:
        """An event in flight does not meet the new handlers, nor start the old ones."""
        waiting = Waiting()
        self.add(self.dispatcher, waiting, "before")
        firing = self.dispatcher.fire_event("event", user="bob")
        new: list[Registration] = [((noting(self.log, "third"), "after", False), {})]
        self.successResultOf(self.replace([self.first, self.second], new))
        waiting.pending[0].callback(None)
        self.successResultOf(firing)

        self.assertEqual(self.log, [])

    def test_from_a_handler(self) -> None:
        """A handler may replace itself and wait for it."""
        ids: list[int] = []

        async def renew(event: Any) -> None:
            new: list[Registration] = [((noting(self.log, "new"), "during", False), {})]
            ids.extend(await self.replace(ids.copy(), new))
            del ids[0]

        ids.append(self.add(self.dispatcher, renew))

        self.assertEqual(self.called(), ["first", "second"])
        self.assertEqual(self.called(), ["first", "new", "second"])

    def test_ids_of_the_replaced(self) -> None:
        """The id of a handler that was replaced is unknown."""
        self.successResultOf(self.replace([self.first], []))

        self.failureResultOf(self.dispatcher.remove_event_handler(self.first), KeyError)

    def test_same_id_twice(self) -> None:
        """An id that is named twice is removed once."""
        self.successResultOf(self.replace([self.first, self.first], []))

        self.assertEqual(self.called(), ["second"])
