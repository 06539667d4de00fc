"""Adding and removing handlers."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from tests.dispatching import DispatcherTestCase, Recorder, Waiting, noting
from twisted_dispatcher import EventDispatcher, HandlerOptions, OneOf, errors


class Thing:
    """A hashable value that can be watched for its end."""


class AddTests(DispatcherTestCase):
    """Adding a handler."""

    def test_gives_an_id(self) -> None:
        """Adding gives a Deferred that has fired with an id with which to remove (E06)."""
        dispatcher = self.make("user")
        handler = Recorder()
        adding = dispatcher.add_event_handler(handler, "during", user="bob")
        handler_id = self.successResultOf(adding)
        self.successResultOf(dispatcher.remove_event_handler(handler_id))
        self.fire(dispatcher, user="bob")

        self.assertIsInstance(handler_id, int)
        self.assertEqual(handler.events, [])

    def test_by_keyword(self) -> None:
        """All arguments may be given by their names (E06)."""
        dispatcher = self.make("user")
        handler = Recorder()
        adding = dispatcher.add_event_handler(
            listen_fn=handler, phase="after", use_weakref=False, user="bob"
        )
        self.successResultOf(adding)
        self.fire(dispatcher, user="bob")

        self.assertEqual(handler.events, ["event"])

    def test_twice(self) -> None:
        """A function that is added twice has two ids and is called twice (E10)."""
        dispatcher = self.make("user")
        handler = Recorder()
        ids = {self.add(dispatcher, handler), self.add(dispatcher, handler)}
        self.fire(dispatcher)

        self.assertEqual(len(ids), 2)
        self.assertEqual(handler.events, ["event", "event"])

    def test_twice_removed_once(self) -> None:
        """Of a function that was added twice, one registration can be removed (E10)."""
        dispatcher = self.make("user")
        handler = Recorder()
        first = self.add(dispatcher, handler)
        self.add(dispatcher, handler)
        self.successResultOf(dispatcher.remove_event_handler(first))
        self.fire(dispatcher)

        self.assertEqual(handler.events, ["event"])

    def test_while_stopped(self) -> None:
        """A handler that is added while the dispatcher is stopped works once it runs (E12)."""
        dispatcher = EventDispatcher(("user",))
        handler = Recorder()
        self.add(dispatcher, handler)
        dispatcher.start()
        self.fire(dispatcher)

        self.assertEqual(handler.events, ["event"])

    def test_while_an_event_is_in_flight(self) -> None:
        """A handler added while an event is in flight is not called for it, only later (E11)."""
        dispatcher = self.make("user")
        waiting, late = Waiting(), Recorder()
        self.add(dispatcher, waiting, "before")
        first = dispatcher.fire_event("first")
        self.add(dispatcher, late, "after")
        waiting.pending[0].callback(None)
        self.successResultOf(first)
        dispatcher.fire_event("second")
        waiting.pending[1].callback(None)

        self.assertEqual(late.events, ["second"])

    def test_from_an_earlier_handler(self) -> None:
        """A handler that another adds for a later phase is not called for the same event (E11)."""
        dispatcher = self.make("user")
        late = Recorder()
        self.add(dispatcher, lambda event: self.add(dispatcher, late, "after"), "before")
        self.fire(dispatcher)

        self.assertEqual(late.events, [])

    def test_in_the_same_phase(self) -> None:
        """A handler that another adds for the running phase is not called for the event (E11)."""
        dispatcher = self.make("user")
        late = Recorder()
        self.add(dispatcher, lambda event: dispatcher.on()(late) and None)
        self.fire(dispatcher, "first")
        self.fire(dispatcher, "second")

        self.assertEqual(late.events, ["second"])

    def test_none_is_no_keyword(self) -> None:
        """A spec value of None counts as a keyword left out (E08)."""
        dispatcher = self.make("user", "role")
        handler = Recorder()
        self.add(dispatcher, handler, user=None, role="admin")
        self.fire(dispatcher, "event", role="admin")

        self.assertEqual(handler.events, ["event"])


class OnTests(DispatcherTestCase):
    """The decorator on()."""

    def test_gives_the_function_back(self) -> None:
        """A decorated function is the function itself."""
        dispatcher = self.make("user")

        def handler(event: Any) -> None:
            """Do nothing."""

        self.assertIs(dispatcher.on("during", user="bob")(handler), handler)

    def test_registers(self) -> None:
        """A decorated function is called for events that match its spec, in its phase."""
        dispatcher = self.make("user")
        log: list[str] = []
        self.add(dispatcher, noting(log, "during"))

        @dispatcher.on("after", user="bob")
        def handler(event: str) -> None:
            log.append(event)

        self.fire(dispatcher, "yes", user="bob")
        self.fire(dispatcher, "no", user="eve")

        self.assertEqual(log, ["during", "yes", "during"])

    def test_phase_by_default(self) -> None:
        """Without a phase the function is registered for "during"."""
        dispatcher = self.make("user")
        dispatcher.on()(Recorder())

        self.assertEqual([one.phase for one in dispatcher.describe()], ["during"])

    def test_holds_strongly(self) -> None:
        """A decorated function is kept alive by the dispatcher."""
        dispatcher = self.make("user")
        log: list[str] = []
        dispatcher.on()(noting(log, "called"))
        gc.collect()
        self.fire(dispatcher)

        self.assertEqual(log, ["called"])

    def test_stacked(self) -> None:
        """Decorators can be stacked, each for a spec of its own."""
        dispatcher = self.make("user")
        log: list[str] = []

        @dispatcher.on(user="bob")
        @dispatcher.on(user="eve")
        def handler(event: str) -> None:
            log.append(event)

        for user in ("bob", "eve", "joe"):
            self.fire(dispatcher, user, user=user)

        self.assertEqual(log, ["bob", "eve"])

    def test_options(self) -> None:
        """Options are taken as with add_event_handler."""
        dispatcher = self.make("user")
        handler = Recorder()
        dispatcher.on(options=HandlerOptions(times=1))(handler)
        self.fire(dispatcher, 1)
        self.fire(dispatcher, 2)

        self.assertEqual(handler.events, [1])

    def test_misuse(self) -> None:
        """What add_event_handler refuses, on() refuses, and registers nothing."""
        dispatcher = self.make("user")

        def handler(event: Any) -> None:
            """Do nothing."""

        for error, phase, spec in [
            (errors.UnknownPhase, "durign", {}),
            (errors.UnknownKeyword, "during", {"usr": "bob"}),
            (errors.UnhashableValue, "during", {"user": ["bob"]}),
        ]:
            self.assertRaises(error, lambda p=phase, s=spec: dispatcher.on(p, **s)(handler))

        self.assertEqual(list(dispatcher.describe()), [])

    def test_without_parentheses(self) -> None:
        """Decorating with on, and not with what on() gives, is refused."""
        dispatcher = self.make("user")

        def handler(event: Any) -> None:
            """Do nothing."""

        self.assertRaises(errors.DispatcherError, dispatcher.on, handler)
        self.assertEqual(list(dispatcher.describe()), [])


class RemoveTests(DispatcherTestCase):
    """Removing a handler."""

    def test_not_called_any_more(self) -> None:
        """After a removal, which gives None, the handler is not called any more (E56, B-E15)."""
        dispatcher = self.make("user")
        removed, kept = Recorder(), Recorder()
        handler_id = self.add(dispatcher, removed, user="bob")
        self.add(dispatcher, kept, user="bob")
        self.fire(dispatcher, 1, user="bob")
        answer = self.successResultOf(dispatcher.remove_event_handler(handler_id))
        self.fire(dispatcher, 2, user="bob")

        self.assertIs(answer, None)
        self.assertEqual((removed.events, kept.events), ([1], [1, 2]))

    def test_unknown_id(self) -> None:
        """Removing an id that never was gives a Deferred that fails with a KeyError (E57)."""
        dispatcher = self.make("user")
        failure = self.failureResultOf(dispatcher.remove_event_handler(12345), KeyError)

        self.assertIsInstance(failure.value, errors.UnknownHandler)
        self.assertIn("12345", str(failure.value))

    def test_odd_ids(self) -> None:
        """Removing what cannot be an id fails as an unknown id does (E57)."""
        dispatcher = self.make("user")
        odd: list[Any] = [None, "1", [], 1.5]
        for handler_id in odd:
            removing = dispatcher.remove_event_handler(handler_id)
            self.failureResultOf(removing, errors.UnknownHandler)

    def test_twice(self) -> None:
        """Removing an id a second time fails with a KeyError (E57)."""
        dispatcher = self.make("user")
        handler_id = self.add(dispatcher, Recorder())
        self.successResultOf(dispatcher.remove_event_handler(handler_id))

        self.failureResultOf(dispatcher.remove_event_handler(handler_id), errors.UnknownHandler)

    def test_of_another_dispatcher(self) -> None:
        """An id of one dispatcher removes nothing from another that has registered less."""
        one, other = self.make(), self.make()
        self.add(one, Recorder())
        later = self.add(one, Recorder())
        self.add(other, Recorder())

        self.failureResultOf(other.remove_event_handler(later), KeyError)
        self.assertEqual(len(other.describe()), 1)

    def test_ids_are_never_used_again(self) -> None:
        """An id is not given a second time, however many were removed (E58, B-E12)."""
        dispatcher = self.make("user")
        seen = set()
        for _ in range(200):
            handler_id = self.add(dispatcher, Recorder())
            self.successResultOf(dispatcher.remove_event_handler(handler_id))
            seen.add(handler_id)

        self.assertEqual(len(seen), 200)

    def test_does_not_wait_for_the_event(self) -> None:
        """A removal is done at once, though an event is in flight (E59)."""
        dispatcher = self.make("user")
        waiting, later = Waiting(), Recorder()
        self.add(dispatcher, waiting, "before")
        handler_id = self.add(dispatcher, later, "after")
        firing = dispatcher.fire_event("event")
        self.successResultOf(dispatcher.remove_event_handler(handler_id))
        waiting.pending[0].callback(None)
        result = self.successResultOf(firing)

        self.assertEqual(later.events, [])
        self.assertNotIn(handler_id, [outcome.handler_id for outcome in result.outcomes])

    def test_of_a_running_handler(self) -> None:
        """A handler that is removed while it runs is waited for, and its outcome counts."""
        dispatcher = self.make("user")
        waiting = Waiting()
        handler_id = self.add(dispatcher, waiting)
        firing = dispatcher.fire_event("event")
        self.successResultOf(dispatcher.remove_event_handler(handler_id))
        self.assertNoResult(firing)
        waiting.pending[0].callback("value")

        self.assertEqual(self.successResultOf(firing).values, ["value"])

    def test_keeps_the_order_of_the_rest(self) -> None:
        """A removal leaves the order of the other handlers as it was."""
        dispatcher = self.make("user")
        log: list[str] = []
        ids = [self.add(dispatcher, noting(log, name)) for name in "abcde"]
        for handler_id in (ids[1], ids[3]):
            self.successResultOf(dispatcher.remove_event_handler(handler_id))
        self.add(dispatcher, noting(log, "f"))
        self.fire(dispatcher)

        self.assertEqual("".join(log), "acef")

    def test_leaves_nothing(self) -> None:
        """Functions and spec values of removed handlers are let go (B-E1)."""
        dispatcher = self.make("user", "role")
        references: list[weakref.ref[Any]] = []
        for count in range(100):
            handler, value = Recorder(), Thing()
            references += [weakref.ref(handler), weakref.ref(value)]
            specs: list[dict[str, Any]] = [
                {"user": value},
                {"user": value, "role": count},
                {"role": OneOf(value, 1)},
            ]
            ids = [self.add(dispatcher, handler, **spec) for spec in specs]
            self.fire(dispatcher, user=value, role=count)
            for handler_id in ids:
                self.successResultOf(dispatcher.remove_event_handler(handler_id))
        del handler, value, specs
        gc.collect()

        self.assertEqual([one for one in references if one() is not None], [])
        self.assertEqual(list(dispatcher.describe()), [])
