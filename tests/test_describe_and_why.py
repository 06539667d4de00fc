"""What a dispatcher tells people about its handlers."""

from __future__ import annotations

import gc
import re
import sys
from functools import partial
from typing import Any, cast

from tests.dispatching import DispatcherTestCase, Recorder, failing
from twisted_dispatcher import EventDispatcher, Exactly, HandlerOptions, OneOf, Where, errors


def line() -> int:
    """Give the caller's line."""
    return sys._getframe(1).f_lineno


class DescribeTests(DispatcherTestCase):
    """describe()."""

    def test_all_about_a_handler(self) -> None:
        """A description has id, name, phase, spec, options, and where it was registered."""
        dispatcher = EventDispatcher(("user", "role"))
        options = HandlerOptions(name="accounting", times=3)
        handler_id = self.add(dispatcher, Recorder(), "after", options, user="bob")
        (one,) = dispatcher.describe()

        self.assertEqual(
            (one.id, one.name, one.phase, dict(one.spec), one.options),
            (handler_id, "accounting", "after", {"user": "bob"}, options),
        )

    def test_place(self) -> None:
        """A registration's place is file and line of the call of add_event_handler."""
        dispatcher = EventDispatcher()
        handler = Recorder()
        expected = line() + 1
        dispatcher.add_event_handler(handler, "during")
        (one,) = dispatcher.describe()

        self.assertRegex(one.registered_at, rf"test_describe_and_why\.pyc?:{expected}$")

    def test_place_of_on(self) -> None:
        """The place of a decorated function is the line of its decorator."""
        dispatcher = EventDispatcher()
        expected = line() + 2

        @dispatcher.on("during")
        def handler(event: Any) -> None:
            """Do nothing."""

        (one,) = dispatcher.describe()

        self.assertRegex(one.registered_at, rf"test_describe_and_why\.pyc?:{expected}$")

    def test_place_of_replacement(self) -> None:
        """The place of a handler that replaced another is the call of replace_event_handlers."""
        dispatcher = EventDispatcher()
        handler = Recorder()
        expected = line() + 1
        dispatcher.replace_event_handlers([], [((handler, "during"), {})])
        (one,) = dispatcher.describe()

        self.assertRegex(one.registered_at, rf"test_describe_and_why\.pyc?:{expected}$")

    def test_default_options(self) -> None:
        """A handler that was registered without options has the default ones."""
        dispatcher = EventDispatcher()
        self.add(dispatcher, Recorder())

        self.assertEqual(dispatcher.describe()[0].options, HandlerOptions())

    def test_match_values(self) -> None:
        """The spec holds the match values as they were given, without wildcards."""
        dispatcher = EventDispatcher(("user", "role", "size", "kind"))
        spec: dict[str, Any] = {
            "user": OneOf("a", "b"),
            "role": re.compile("x"),
            "size": Where(bool),
        }
        self.add(dispatcher, Recorder(), kind=None, **spec)

        self.assertEqual(dict(dispatcher.describe()[0].spec), spec)

    def test_order(self) -> None:
        """Handlers are listed by phase, then as they were registered."""
        dispatcher = EventDispatcher()
        names: list[str] = []
        for phase in ("after", "during", "before", "during", "after"):
            names.append(f"{phase} {len(names)}")
            self.add(dispatcher, Recorder(), phase, HandlerOptions(name=names[-1]))

        self.assertEqual(
            [one.name for one in dispatcher.describe()],
            ["before 2", "during 1", "during 3", "after 0", "after 4"],
        )

    def test_is_a_snapshot(self) -> None:
        """What was described does not change, and changing it changes no handler."""
        dispatcher = self.make("user")
        handler = Recorder()
        handler_id = self.add(dispatcher, handler, user="bob")
        described = dispatcher.describe()
        cast(dict[str, Any], described[0].spec)["user"] = "eve"
        self.fire(dispatcher, user="bob")
        self.successResultOf(dispatcher.remove_event_handler(handler_id))

        self.assertEqual(len(described), 1)
        self.assertEqual(handler.events, ["event"])

    def test_does_not_keep_alive(self) -> None:
        """A description keeps no weakly held handler alive."""
        dispatcher = EventDispatcher()
        handler = Recorder()
        self.successResultOf(dispatcher.add_event_handler(handler, "during"))
        described = dispatcher.describe()
        del handler
        gc.collect()

        self.assertEqual(list(dispatcher.describe()), [])
        self.assertIn("Recorder", described[0].name)

    def test_names(self) -> None:
        """Functions, methods, lambdas, partials and instances have names that tell them."""
        dispatcher = EventDispatcher()
        handlers: tuple[Any, ...] = (
            failing,
            self.test_order,
            lambda event: None,
            partial(failing, ValueError()),
            Recorder(),
            [].append,
            print,
            DescribeTests,
        )
        for handler in handlers:
            self.add(dispatcher, handler)
        names = [one.name for one in dispatcher.describe()]

        for name, part in zip(
            names,
            (
                "tests.dispatching.failing",
                "tests.test_describe_and_why.DescribeTests.test_order",
                "<lambda>",
                "tests.dispatching.failing",
                "tests.dispatching.Recorder",
                "list.append",
                "builtins.print",
                "tests.test_describe_and_why.DescribeTests",
            ),
            strict=True,
        ):
            self.assertIn(part, name)


class WhyTests(DispatcherTestCase):
    """why()."""

    def reason(self, spec: dict[str, Any], details: dict[str, Any]) -> str:
        """Give the reason why an event with details does not reach a handler with a spec."""
        dispatcher = self.make("user", "role")
        self.add(dispatcher, Recorder(), **spec)
        (verdict,) = dispatcher.why(**details)

        self.assertIs(verdict.runs, False)
        return str(verdict.reason)

    def test_runs(self) -> None:
        """A handler that matches runs."""
        dispatcher = self.make("user")
        handler_id = self.add(
            dispatcher, Recorder(), "after", HandlerOptions(name="accounting"), user="bob"
        )
        (verdict,) = dispatcher.why(user="bob")

        self.assertEqual(
            (verdict.handler_id, verdict.name, verdict.phase, verdict.runs),
            (handler_id, "accounting", "after", True),
        )

    def test_calls_nobody(self) -> None:
        """Asking why calls no handler."""
        dispatcher = self.make("user")
        handler = Recorder()
        self.add(dispatcher, handler)
        dispatcher.why(user="bob")

        self.assertEqual(handler.events, [])

    def test_every_handler(self) -> None:
        """There is a verdict for every handler, in the order of describe()."""
        dispatcher = self.make("user")
        for phase, user in [("after", "bob"), ("before", "eve"), ("during", "bob")]:
            self.add(dispatcher, Recorder(), phase, user=user)

        self.assertEqual(
            [(one.phase, one.runs) for one in dispatcher.why(user="bob")],
            [("before", False), ("during", True), ("after", True)],
        )
        self.assertEqual(
            [one.handler_id for one in dispatcher.why()],
            [one.id for one in dispatcher.describe()],
        )

    def test_other_value(self) -> None:
        """The reason names the keyword, what is wanted and what was given."""
        reason = self.reason({"user": "bob"}, {"user": "eve"})

        for part in ("'user'", "'bob'", "'eve'"):
            self.assertIn(part, reason)

    def test_left_out(self) -> None:
        """The reason names a keyword that the event leaves out."""
        reason = self.reason({"user": "bob", "role": "admin"}, {"user": "bob"})

        self.assertIn("'role'", reason)
        self.assertIn("leaves out", reason)
        self.assertNotIn("'user'", reason)

    def test_several_reasons(self) -> None:
        """Every keyword that stands against it is named."""
        reason = self.reason({"user": "bob", "role": "admin"}, {"user": "eve"})

        self.assertIn("'user'", reason)
        self.assertIn("'role'", reason)

    def test_match_values(self) -> None:
        """The reason shows what kind of match was wanted."""
        for wanted, part in [
            (re.compile("^b+$"), "^b+$"),
            (OneOf("bob", "joe"), "'joe'"),
            (Exactly(None), "None"),
            (Where(str.isdigit), "isdigit"),
        ]:
            self.assertIn(part, self.reason({"user": wanted}, {"user": "eve"}))

    def test_predicate_that_raises(self) -> None:
        """A predicate that raises is named with what it raised."""
        reason = self.reason({"user": Where(lambda user: user > 1)}, {"user": "eve"})

        self.assertIn("TypeError", reason)

    def test_stopped(self) -> None:
        """While the dispatcher does not run, that is a reason for every handler."""
        dispatcher = EventDispatcher(("user",))
        self.add(dispatcher, Recorder(), user="bob")
        (verdict,) = dispatcher.why(user="bob")

        self.assertIs(verdict.runs, False)
        self.assertIn("not running", verdict.reason)

    def test_unknown_keyword(self) -> None:
        """A detail that is not allowed is refused as fire_event refuses it."""
        dispatcher = self.make("user")

        self.assertRaises(errors.UnknownKeyword, dispatcher.why, usr="bob")

    def test_unhashable(self) -> None:
        """No handler is said to run for a detail that cannot be hashed, which no fire takes."""
        dispatcher = self.make("user")
        self.add(dispatcher, Recorder())
        self.failureResultOf(dispatcher.fire_event("event", user=[]), errors.UnhashableValue)
        try:
            verdicts = list(dispatcher.why(user=[]))
        except errors.UnhashableValue:
            verdicts = []

        self.assertEqual([verdict for verdict in verdicts if verdict.runs], [])

    def test_agrees_with_firing(self) -> None:
        """Exactly those handlers run of which why() says so."""
        dispatcher = self.make("user", "role")
        specs: list[dict[str, Any]] = [
            {},
            {"user": "bob"},
            {"user": None, "role": Exactly(None)},
            {"user": re.compile("b"), "role": OneOf(1, None)},
            {"role": Where(lambda role: role)},
        ]
        for spec in specs:
            self.add(dispatcher, Recorder(), **spec)
        given: list[dict[str, Any]] = [
            {},
            {"user": "bob"},
            {"user": "bob", "role": None},
            {"role": True},
            {"user": 1, "role": 0},
        ]
        for details in given:
            told = [one.handler_id for one in dispatcher.why(**details) if one.runs]
            ran = [one.handler_id for one in self.fire(dispatcher, **details).outcomes]

            self.assertEqual(told, ran)
