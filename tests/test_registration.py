"""Adding, removing and replacing handlers, and what of it is refused."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.internet.defer import Deferred

from tests.dispatching import DispatcherTestCase, Recorder, Waiting, noting
from twisted_dispatcher import EventDispatcher, Exactly, HandlerOptions, OneOf, Where, errors


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


class MisuseTests(DispatcherTestCase):
    """What is refused at once, so that nothing of it is registered."""

    def setUp(self) -> None:
        """Make a dispatcher with one handler, so that a half registration would be seen."""
        super().setUp()
        self.dispatcher = self.make("user", "role")
        self.add(self.dispatcher, Recorder(), user="bob", role="admin")
        self.before = list(self.dispatcher.describe())

    def refused(self, error: type[Exception], *arguments: Any, **keywords: Any) -> Exception:
        """Give the error with which a handler is refused; nothing may have changed."""
        raised = self.assertRaises(
            error, self.dispatcher.add_event_handler, *arguments, **keywords
        )

        self.assertIsInstance(raised, errors.DispatcherError)
        self.assertEqual(list(self.dispatcher.describe()), self.before)
        self.fire(self.dispatcher, user="bob", role="admin")
        return raised  # type: ignore[no-any-return]

    def test_unknown_keyword(self) -> None:
        """A keyword that is not allowed is refused at once as a ValueError naming it (E07)."""
        handler = Recorder()
        error = self.refused(ValueError, handler, "during", user="bob", usr="bob", rol="x")

        self.assertIsInstance(error, errors.UnknownKeyword)
        self.assertIn("'usr'", str(error))
        self.assertIn("'rol'", str(error))
        self.assertEqual(handler.events, [])

    def test_unknown_phase(self) -> None:
        """A phase that does not exist is refused, and named beside those that do (E09)."""
        handler = Recorder()
        error = self.refused(errors.UnknownPhase, handler, "durign")

        self.assertIn("'durign'", str(error))
        self.assertIn("during", str(error))
        self.assertEqual(handler.events, [])

    def test_phase_of_another_kind(self) -> None:
        """A phase that is not a string is refused (E09)."""
        for phase in (None, 1, ["during"], {}):
            self.refused(errors.UnknownPhase, Recorder(), phase)

    def test_unhashable_value(self) -> None:
        """A spec value that cannot be hashed is refused at once as a TypeError naming it (E13)."""
        handler = Recorder()
        for value in ([1], {}, set(), ([],), Exactly([1]), OneOf("a", [1])):
            error = self.refused(TypeError, handler, "during", role="admin", user=value)

            self.assertIsInstance(error, errors.UnhashableValue)
            self.assertIn("'user'", str(error))
        self.assertEqual(handler.events, [])

    def test_not_callable(self) -> None:
        """What cannot be called is refused, held weakly or not (E14)."""
        for thing in (None, "function", 5, Thing()):
            self.refused(errors.NotCallable, thing, "during", False)
            self.refused(errors.NotCallable, thing, "during")

    def test_called_coroutine_function(self) -> None:
        """A coroutine given for its function is refused with a word on the cure (E14)."""

        async def handler(event: Any) -> None:
            """Do nothing."""

        coroutine = handler("event")
        self.addCleanup(coroutine.close)

        self.assertIn("without calling", str(self.refused(errors.NotCallable, coroutine, "during")))

    def test_options_of_another_kind(self) -> None:
        """Options that are no HandlerOptions are refused."""
        for options in ({"times": 1}, 3, "times", HandlerOptions):
            self.refused(errors.InvalidOptions, Recorder(), "during", False, options=options)

    def test_guarantees_that_memory_cannot_give(self) -> None:
        """A guarantee that memory cannot give is refused, and the error names it."""
        for guarantee in ("at-least-once", "exactly-once"):
            options = HandlerOptions(guarantee=guarantee)
            error = self.refused(
                errors.InvalidOptions, Recorder(), "during", False, options=options
            )

            self.assertIn(guarantee, str(error))

    def test_durable_in_memory(self) -> None:
        """A durable handler is refused, and the error names the option."""
        options = HandlerOptions(durable=True)
        error = self.refused(errors.InvalidOptions, Recorder(), "during", False, options=options)

        self.assertIn("durable", str(error))

    def test_what_memory_does_promise(self) -> None:
        """At most once and not durable is what a dispatcher in memory is, and may be said."""
        handler = Recorder()
        options = HandlerOptions(guarantee="at-most-once", durable=False)
        self.add(self.dispatcher, handler, options=options)
        self.fire(self.dispatcher)

        self.assertEqual(handler.events, ["event"])

    def test_unknown_runner(self) -> None:
        """A runner that is neither known by name nor an IRunner is refused."""
        for runner in ("fiber", 5, None, object(), "Reactor"):
            options = HandlerOptions(runner=runner)
            self.refused(errors.InvalidOptions, Recorder(), "during", False, options=options)

    def test_parameter_given_twice(self) -> None:
        """A parameter's name is no keyword of a spec (E05)."""
        self.assertRaises(
            TypeError, self.dispatcher.add_event_handler, Recorder(), "during", phase="after"
        )
        self.assertEqual(list(self.dispatcher.describe()), self.before)

    def test_ids_go_on(self) -> None:
        """After refusals the dispatcher works as before."""
        self.assertRaises(
            ValueError, self.dispatcher.add_event_handler, Recorder(), "during", usr="bob"
        )
        handler = Recorder()
        self.add(self.dispatcher, handler, user="bob")
        self.fire(self.dispatcher, user="bob")

        self.assertEqual(handler.events, ["event"])


class MatchValueMisuseTests(DispatcherTestCase):
    """Match values and options check themselves when they are made."""

    def test_empty_one_of(self) -> None:
        """OneOf without a value is refused."""
        for values in ((), ([],), (set(),)):
            self.assertRaises(ValueError, OneOf, *values)

    def test_one_of_match_values(self) -> None:
        """OneOf takes plain values alone."""
        for value in (Exactly(1), Where(bool), OneOf(1)):
            error = self.assertRaises(ValueError, OneOf, "a", value)
            self.assertIsInstance(error, errors.DispatcherError)

    def test_where_without_function(self) -> None:
        """Where takes a callable alone."""
        self.assertRaises(TypeError, Where, "admin")

    def test_options_out_of_range(self) -> None:
        """An option with a value that it cannot have is refused, and named."""
        for option, value in [
            ("times", 0),
            ("times", -1),
            ("times", 1.5),
            ("times", True),
            ("timeout", 0),
            ("timeout", -1.0),
            ("timeout", "5"),
            ("timeout", float("nan")),
            ("concurrency", 0),
            ("concurrency", "many"),
            ("retry", 3),
            ("name", ""),
            ("name", 7),
            ("guarantee", "sometimes"),
            ("durable", "yes"),
        ]:
            error = self.assertRaises(ValueError, HandlerOptions, **{option: value})

            self.assertIsInstance(error, errors.InvalidOptions, f"{option}={value!r}")
            self.assertIn(option, str(error))


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
        for handler_id in (None, "1", [], 1.5):
            removing = dispatcher.remove_event_handler(handler_id)  # type: ignore[arg-type]
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
        """An id is not given a second time, however many were removed (E58)."""
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
            specs = [{"user": value}, {"user": value, "role": count}, {"role": OneOf(value, 1)}]
            ids = [self.add(dispatcher, handler, **spec) for spec in specs]
            self.fire(dispatcher, user=value, role=count)
            for handler_id in ids:
                self.successResultOf(dispatcher.remove_event_handler(handler_id))
        del handler, value, specs
        gc.collect()

        self.assertEqual([one for one in references if one() is not None], [])
        self.assertEqual(list(dispatcher.describe()), [])


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
        new = [
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
        new = [((), {**keywords, "options": options, "user": "bob"})]
        self.successResultOf(self.replace([self.first, self.second], new))

        self.assertEqual(self.called(), ["once"])
        self.assertEqual(self.called(), [])

    def test_from_iterators(self) -> None:
        """Ids and registrations may come from iterators."""
        new = (((noting(self.log, name), "during", False), {}) for name in "ab")
        self.successResultOf(self.replace(iter([self.first, self.second]), new))

        self.assertEqual(self.called(), ["a", "b"])

    def test_only_removes(self) -> None:
        """Handlers can be swapped for none."""
        ids = self.successResultOf(self.replace([self.first, self.second], []))

        self.assertEqual((ids, self.called()), ([], []))

    def test_only_adds(self) -> None:
        """None can be swapped for handlers."""
        new = [((noting(self.log, "third"), "after", False), {})]
        self.successResultOf(self.replace([], new))

        self.assertEqual(self.called(), ["first", "second", "third"])

    def test_unknown_id(self) -> None:
        """With one id that is unknown nothing is removed and nothing added."""
        before = list(self.dispatcher.describe())
        new = [((noting(self.log, "third"), "after", False), {})]
        failing = self.replace([self.first, 999, self.second], new)

        self.failureResultOf(failing, errors.UnknownHandler)
        self.assertEqual(list(self.dispatcher.describe()), before)
        self.assertEqual(self.called(), ["first", "second"])

    def test_misuse(self) -> None:
        """With one registration that is refused, at once, nothing is removed and nothing added."""
        before = list(self.dispatcher.describe())
        good = ((noting(self.log, "third"), "after", False), {})
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
        self.successResultOf(
            self.replace([self.first, self.second], [((handler, "during"), {})])
        )
        self.assertEqual(len(self.dispatcher.describe()), 1)
        del handler
        gc.collect()

        self.assertEqual(list(self.dispatcher.describe()), [])

    def test_atomic_for_nested_fires(self) -> None:
        """An event in flight does not meet the new handlers, nor start the old ones."""
        waiting = Waiting()
        self.add(self.dispatcher, waiting, "before")
        firing = self.dispatcher.fire_event("event", user="bob")
        new = [((noting(self.log, "third"), "after", False), {})]
        self.successResultOf(self.replace([self.first, self.second], new))
        waiting.pending[0].callback(None)
        self.successResultOf(firing)

        self.assertEqual(self.log, [])

    def test_from_a_handler(self) -> None:
        """A handler may replace itself and wait for it."""
        ids: list[int] = []

        async def renew(event: Any) -> None:
            new = [((noting(self.log, "new"), "during", False), {})]
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
