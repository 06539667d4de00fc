"""What is refused at once, so that nothing of it is registered."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.dispatching import DispatcherTestCase, Recorder
from twisted_dispatcher import Exactly, HandlerOptions, OneOf, Where, errors


class Thing:
    """A hashable value that can be watched for its end."""


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

    def test_option_for_a_keyword(self) -> None:
        """An option in the place of a keyword is refused, and shown in its own place."""
        error = self.refused(errors.UnknownKeyword, Recorder(), "during", timeout=5)
        self.assertIn("'timeout' is an option: options=HandlerOptions(timeout=5)", str(error))
        self.assertNotIn("allow_keyword", str(error))
        error = self.assertRaises(errors.UnknownKeyword, self.dispatcher.on, name="n", usr="bob")
        self.assertIn("'name' is an option: options=HandlerOptions(name='n')", str(error))
        self.assertIn("call allow_keyword('name') first", str(error))

    def test_reserved_keyword(self) -> None:
        """A name that no keyword can have is refused without a word of allowing it."""
        waited: Any = {"options": HandlerOptions()}
        fired = {"timeout": 5, "phase": "during"}
        for function, keywords in (
            (self.dispatcher.on, {"check": bool}),
            (partial(self.dispatcher.fire_event, "event"), fired),
            (self.dispatcher.why, fired),
            (self.dispatcher.wait_for, waited),
        ):
            error = self.assertRaises(errors.UnknownKeyword, function, **keywords)
            self.assertIn("is the name of a parameter", str(error))
            self.assertNotIn("allow_keyword", str(error))
            self.assertNotIn("is an option", str(error))

    def test_unknown_phase(self) -> None:
        """A phase that does not exist is refused, and named beside those that do (E09, B-E6)."""
        handler = Recorder()
        error = self.refused(errors.UnknownPhase, handler, "durign")

        self.assertIn("'durign'", str(error))
        self.assertIn("during", str(error))
        self.assertEqual(handler.events, [])

    def test_phase_of_another_kind(self) -> None:
        """A phase that is not a string is refused (E09)."""
        odd: list[Any] = [None, 1, ["during"], {}]
        for phase in odd:
            self.refused(errors.UnknownPhase, Recorder(), phase)

    def test_decorator_without_parentheses(self) -> None:
        """A function in the place of a phase, as a bare @dispatcher.on gives it, is refused."""
        on: Any = self.dispatcher.on

        def page(event: Any) -> None: ...

        error = self.assertRaises(errors.UnknownPhase, on, page)
        self.assertIn("the function page was given in the place of a phase", str(error))
        self.assertIn("write @dispatcher.on(), with parentheses", str(error))
        self.assertEqual(list(self.dispatcher.describe()), self.before)

    def test_unhashable_value(self) -> None:
        """A spec value that cannot be hashed is refused as a TypeError naming it (E13, B-E8)."""
        handler = Recorder()
        values: list[Any] = [[1], {}, set(), ([],), Exactly([1]), OneOf("a", [1])]
        for value in values:
            error = self.refused(TypeError, handler, "during", role="admin", user=value)

            self.assertIsInstance(error, errors.UnhashableValue)
            self.assertIn("'user'", str(error))
        self.assertEqual(handler.events, [])

    def test_list_of_values(self) -> None:
        """A list in the place of a spec value is refused with OneOf as the cure."""
        error = self.refused(errors.UnhashableValue, Recorder(), "during", user=["ada", "bob"])
        self.assertIn("for one of several values write OneOf('ada', 'bob')", str(error))
        others: list[Any] = [[], {"ada": 1}, Exactly(["ada"]), OneOf("bob", ["ada"])]
        for other in others:
            error = self.refused(errors.UnhashableValue, Recorder(), "during", user=other)
            self.assertNotIn("OneOf", str(error))

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

        self.assertIn(
            "without calling", str(self.refused(errors.NotCallable, coroutine, "during"))
        )

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
        nothing: list[tuple[Any, ...]] = [(), ([],), (set(),)]
        for values in nothing:
            self.assertRaises(ValueError, OneOf, *values)

    def test_one_of_match_values(self) -> None:
        """OneOf takes plain values alone."""
        for value in (Exactly(1), Where(bool), OneOf(1)):
            error = self.assertRaises(ValueError, OneOf, "a", value)
            self.assertIsInstance(error, errors.DispatcherError)

    def test_where_without_function(self) -> None:
        """Where takes a callable alone."""
        self.assertRaises(TypeError, Where, "admin")

    def test_where_asynchronous(self) -> None:
        """Where takes no coroutine function, whose answer would always count as yes."""

        async def predicate(value: object) -> bool:
            return False

        self.assertRaisesRegex(ValueError, "make it a plain one", Where, predicate)

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
