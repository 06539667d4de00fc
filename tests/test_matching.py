"""Which events reach which handlers."""

from __future__ import annotations

import gc
import re
import tracemalloc
import weakref
from collections import UserString
from typing import Any

from tests.dispatching import DispatcherTestCase, Recorder, calls_of, noting
from twisted_dispatcher import EventDispatcher, Exactly, OneOf, Where, errors


class Value:
    """A hashable value that can be watched for its end."""


class MatchTestCase(DispatcherTestCase):
    """A dispatcher for three keywords."""

    def setUp(self) -> None:
        """Make it."""
        super().setUp()
        self.dispatcher = self.make("user", "role", "size")

    def reaches(self, spec: dict[str, Any], details: dict[str, Any]) -> bool:
        """Tell whether an event with these details reaches a handler with this spec."""
        handler = Recorder()
        handler_id = self.add(self.dispatcher, handler, **spec)
        self.fire(self.dispatcher, "event", **details)
        self.successResultOf(self.dispatcher.remove_event_handler(handler_id))
        return bool(handler.events)


class SpecTests(MatchTestCase):
    """A spec as a whole."""

    def test_equal(self) -> None:
        """A handler whose spec equals the details is called (E25)."""
        self.assertTrue(self.reaches({"user": "bob", "role": 1}, {"user": "bob", "role": 1}))

    def test_different(self) -> None:
        """A handler is not called when one of its keywords has another value (E26)."""
        spec = {"user": "bob", "role": "admin"}

        self.assertFalse(self.reaches(spec, {"user": "bob", "role": "user"}))
        self.assertFalse(self.reaches(spec, {"user": "eve", "role": "admin"}))

    def test_subset(self) -> None:
        """Details that the spec does not name do not count (E27)."""
        details = {"user": "bob", "role": "admin", "size": 3}

        self.assertTrue(self.reaches({"role": "admin"}, details))
        self.assertTrue(self.reaches({"user": "bob", "size": 3}, details))

    def test_no_spec(self) -> None:
        """A handler without a spec is called for every event (E28)."""
        for details in ({"user": "bob"}, {"size": 1, "role": None}):
            self.assertTrue(self.reaches({}, details))

    def test_no_spec_and_no_details(self) -> None:
        """A handler without a spec is called for an event without details (E29, B-E3)."""
        self.assertTrue(self.reaches({}, {}))

    def test_wildcards_alone(self) -> None:
        """A handler whose spec is all wildcards is called for every event (E08, E29)."""
        spec = {"user": None, "role": None}

        self.assertTrue(self.reaches(spec, {}))
        self.assertTrue(self.reaches(spec, {"size": 1}))

    def test_left_out(self) -> None:
        """An event that leaves a keyword out does not match a spec that names it (E30, B-E2)."""
        for wanted in ("bob", Exactly(None), OneOf(None, "bob"), Where(lambda _: True)):
            self.assertFalse(self.reaches({"user": wanted}, {"role": "admin"}))
            self.assertFalse(self.reaches({"user": wanted}, {}))

    def test_left_out_of_two(self) -> None:
        """One keyword that the event leaves out is enough to keep the handler from it (E30)."""
        self.assertFalse(self.reaches({"user": "bob", "role": "admin"}, {"user": "bob"}))

    def test_wildcard_matches_what_is_left_out(self) -> None:
        """A wildcard matches a keyword that the event leaves out (E08)."""
        self.assertTrue(self.reaches({"user": None, "role": "admin"}, {"role": "admin"}))

    def test_unknown_detail(self) -> None:
        """A detail that is not allowed is refused at once; nobody is called (E31, B-E4)."""
        handler = Recorder()
        self.add(self.dispatcher, handler)
        error = self.assertRaises(
            errors.UnknownKeyword, self.dispatcher.fire_event, "event", user="bob", rloe="admin"
        )

        self.assertIn("'rloe'", str(error))
        self.assertIsInstance(error, ValueError)
        self.assertEqual(handler.events, [])

    def test_unknown_detail_when_known_ones_were_fired_before(self) -> None:
        """A detail that is not allowed is refused, however often the rest was fired (E31)."""
        handler = Recorder()
        self.add(self.dispatcher, handler)
        for _ in range(3):
            self.fire(self.dispatcher, user="bob")
            self.assertRaises(
                errors.UnknownKeyword, self.dispatcher.fire_event, "event", user="bob", rloe=None
            )

        self.assertEqual(handler.events, ["event"] * 3)

    def test_none(self) -> None:
        """A detail of None reaches handlers with a wildcard alone (E32)."""
        self.assertTrue(self.reaches({}, {"user": None}))
        self.assertTrue(self.reaches({"user": None}, {"user": None}))
        self.assertFalse(self.reaches({"user": "bob"}, {"user": None}))
        self.assertFalse(self.reaches({"user": 0}, {"user": None}))

    def test_equal_by_hash(self) -> None:
        """Values that are equal match each other, whatever their types (E33)."""
        for wanted in (1, True, 1.0):
            for given in (1, True, 1.0):
                self.assertTrue(self.reaches({"size": wanted}, {"size": given}))

    def test_equal_strings(self) -> None:
        """Strings match by equality, not by identity (E25)."""
        self.assertTrue(self.reaches({"user": "bob" * 2}, {"user": "".join(["bob", "bob"])}))

    def test_unhashable_detail(self) -> None:
        """A detail that cannot be hashed fails the fire with a TypeError naming it (E34)."""
        handler = Recorder()
        self.add(self.dispatcher, handler)
        self.add(self.dispatcher, handler, role="admin")
        values: list[Any] = [[1], {}, {1}, ([],)]
        for value in values:
            firing = self.dispatcher.fire_event("event", user=value, role="admin")
            failure = self.failureResultOf(firing, TypeError)

            self.assertIsInstance(failure.value, errors.UnhashableValue)
            self.assertIn("'user'", str(failure.value))
        self.assertEqual(handler.events, [])

    def test_unhashable_unknown_detail(self) -> None:
        """A detail that is not allowed is refused at once, also when it cannot be hashed (E31)."""
        self.assertRaises(
            errors.UnknownKeyword, self.dispatcher.fire_event, "event", user=[], rloe=[]
        )

    def test_broken_hash(self) -> None:
        """A detail whose hash raises fails the fire and harms no later one (E34)."""

        class Broken:
            def __hash__(self) -> int:
                raise TypeError("no hash today")

        handler = Recorder()
        self.add(self.dispatcher, handler)
        self.failureResultOf(self.dispatcher.fire_event("event", user=Broken()), TypeError)
        self.fire(self.dispatcher, "later", user="bob")

        self.assertEqual(handler.events, ["later"])

    def test_details_named_as_parameters(self) -> None:
        """A detail named as a parameter is refused at once, and nobody is called (E35)."""
        handler = Recorder()
        self.add(self.dispatcher, handler)
        for name in ("self", "phase", "timeout", "options"):
            error = self.assertRaises(
                ValueError, lambda n=name: self.dispatcher.fire_event("event", **{n: 1})
            )
            self.assertIn(name, str(error))
        self.assertRaises(TypeError, lambda: self.dispatcher.fire_event("event", **{"event": 1}))

        self.assertEqual(handler.events, [])

    def test_details_by_position(self) -> None:
        """Details cannot be given by position, where they would depend on an order."""
        self.assertRaises(TypeError, self.dispatcher.fire_event, "event", "bob")

    def test_event_by_name(self) -> None:
        """The event itself may be given by its parameter's name."""
        handler = Recorder()
        self.add(self.dispatcher, handler)
        self.successResultOf(self.dispatcher.fire_event(event="named", user="bob"))

        self.assertEqual(handler.events, ["named"])

    def test_changed_between_fires(self) -> None:
        """Equal details meet what is registered at the time of each fire."""
        log: list[str] = []
        self.add(self.dispatcher, noting(log, "first"), user="bob")
        self.fire(self.dispatcher, user="bob")
        second = self.add(self.dispatcher, noting(log, "second"), role="admin")
        self.fire(self.dispatcher, user="bob", role="admin")
        self.successResultOf(self.dispatcher.remove_event_handler(second))
        self.fire(self.dispatcher, user="bob", role="admin")

        self.assertEqual(log, ["first", "first", "second", "first"])

    def test_order_across_specs(self) -> None:
        """Handlers of one phase are called as they were registered, whatever their specs (E40)."""
        log: list[str] = []
        specs: list[dict[str, Any]] = [
            {"user": "bob"},
            {},
            {"user": re.compile("b")},
            {"user": "bob", "role": "admin"},
            {"role": OneOf("admin", "owner")},
            {"user": None},
            {"size": Where(lambda size: size > 2)},
            {"user": "bob"},
        ]
        for number, spec in enumerate(specs):
            self.add(self.dispatcher, noting(log, str(number)), **spec)
        self.fire(self.dispatcher, user="bob", role="admin", size=3)

        self.assertEqual("".join(log), "01234567")

    def ones(self, keywords: set[str]) -> dict[str, Any]:
        """Give details with a 1 for each keyword."""
        return dict.fromkeys(keywords, 1)

    def test_every_subset_of_keywords(self) -> None:
        """With handlers for every set of keywords, exactly those within the details are called."""
        names = ("user", "role", "size")
        subsets = [{name for at, name in enumerate(names) if bits >> at & 1} for bits in range(8)]
        log: list[str] = []
        for subset in subsets:
            self.add(self.dispatcher, noting(log, repr(sorted(subset))), **self.ones(subset))
        for given in subsets:
            log.clear()
            self.fire(self.dispatcher, **self.ones(given))

            self.assertEqual(log, [repr(sorted(s)) for s in subsets if s <= given])


class MatchValueTests(MatchTestCase):
    """The kinds of values in a spec."""

    def matching(self, wanted: Any, *given: Any) -> list[Any]:
        """Give those of the values that match."""
        return [one for one in given if self.reaches({"user": wanted}, {"user": one})]

    def test_exactly(self) -> None:
        """Exactly(value) matches what equals the value."""
        self.assertEqual(self.matching(Exactly("bob"), "bob", "eve", None), ["bob"])

    def test_exactly_none(self) -> None:
        """Exactly(None) matches a literal None, and nothing else."""
        self.assertEqual(self.matching(Exactly(None), None, "bob", 0, ""), [None])

    def test_exactly_a_pattern(self) -> None:
        """Exactly of a pattern matches the pattern itself, not what it finds."""
        pattern = re.compile("bob")

        self.assertEqual(self.matching(Exactly(pattern), "bob", pattern), [pattern])

    def test_pattern_searches(self) -> None:
        """A pattern matches a string in which it is found anywhere."""
        given = ("bob", "a bob", "eve", "")

        self.assertEqual(self.matching(re.compile("bo"), *given), ["bob", "a bob"])

    def test_pattern_anchored(self) -> None:
        """A pattern's own anchors and flags count."""
        pattern = re.compile("^BOB$", re.IGNORECASE)

        self.assertEqual(self.matching(pattern, "bob", "Bob", "a bob"), ["bob", "Bob"])

    def test_pattern_of_other_types(self) -> None:
        """A pattern does not match what is not a string."""
        self.assertEqual(self.matching(re.compile(""), None, 1, b"bob", ("bob",), "bob"), ["bob"])

    def test_pattern_of_bytes(self) -> None:
        """A pattern of bytes matches bytes alone."""
        self.assertEqual(self.matching(re.compile(b"bob"), "bob", b"bob", None, 1), [b"bob"])

    def test_pattern_string_subclass(self) -> None:
        """A pattern matches an instance of a subclass of str."""

        class Name(str):
            """A name."""

        self.assertEqual(self.matching(re.compile("bob"), Name("bob")), ["bob"])

    def test_pattern_after_an_equal_value(self) -> None:
        """What a pattern finds does not depend on equal values of other types fired before."""
        handler = Recorder()
        self.add(self.dispatcher, handler, user=re.compile("bob"))
        for user in (UserString("bob"), "bob", UserString("bob"), "bob"):
            self.fire(self.dispatcher, type(user), user=user)

        self.assertEqual(handler.events, [str, str])

    def test_one_of(self) -> None:
        """OneOf matches what equals one of its values."""
        self.assertEqual(self.matching(OneOf("bob", "eve", 1), "bob", "joe", True), ["bob", True])

    def test_one_of_a_collection(self) -> None:
        """OneOf takes its values as one list, set or tuple as well."""
        for values in (["bob", "eve"], {"bob", "eve"}, ("bob", "eve"), frozenset({"bob", "eve"})):
            self.assertEqual(self.matching(OneOf(values), "bob", "joe", "eve"), ["bob", "eve"])

    def test_one_of_none(self) -> None:
        """A None in OneOf is a literal None."""
        self.assertEqual(self.matching(OneOf(None, "bob"), None, "bob", "joe"), [None, "bob"])

    def test_one_of_repeated(self) -> None:
        """A handler is called once, though its OneOf has a value twice."""
        handler = Recorder()
        self.add(self.dispatcher, handler, user=OneOf("bob", "bob"), size=OneOf(1, True, 1.0))
        self.fire(self.dispatcher, user="bob", size=1)

        self.assertEqual(handler.events, ["event"])

    def test_one_of_removed(self) -> None:
        """A handler with OneOf values is removed from all of them."""
        handler = Recorder()
        handler_id = self.add(
            self.dispatcher, handler, user=OneOf("a", "b", "a"), role=OneOf(1, 2)
        )
        self.successResultOf(self.dispatcher.remove_event_handler(handler_id))
        for user in "ab":
            for role in (1, 2):
                self.fire(self.dispatcher, user=user, role=role)

        self.assertEqual(handler.events, [])

    def test_one_of_very_many(self) -> None:
        """OneOf values whose combinations are a hundred million match as a few do."""
        numbers = OneOf(*range(500))
        spec = {"user": numbers, "role": numbers, "size": numbers}

        self.assertTrue(self.reaches(spec, {"user": 499, "role": 0, "size": 250}))
        self.assertFalse(self.reaches(spec, {"user": 499, "role": 0, "size": 500}))

    def test_where(self) -> None:
        """Where matches what its predicate says yes to."""
        self.assertEqual(self.matching(Where(lambda size: size > 2), 1, 2, 3), [3])

    def test_where_gives_something_true(self) -> None:
        """Any true answer of a predicate is a yes."""
        self.assertEqual(self.matching(Where(lambda one: one), "", "bob", 0, (), None), ["bob"])

    def test_where_sees_none(self) -> None:
        """A predicate is asked about a None that was given."""
        self.assertEqual(self.matching(Where(lambda one: one is None), None, 1), [None])

    def test_where_is_asked_anew(self) -> None:
        """A predicate is asked at each fire, also with the same details."""
        answers = [True, False, True]
        handler = Recorder()
        self.add(self.dispatcher, handler, user=Where(lambda _: answers.pop(0)))
        for number in range(3):
            self.fire(self.dispatcher, number, user="bob")

        self.assertEqual(handler.events, [0, 2])

    def test_where_after_exact_keywords(self) -> None:
        """A predicate is asked only where the exact keywords of its spec match."""
        asked: list[Any] = []

        def ask(size: int) -> bool:
            asked.append(size)
            return True

        self.add(self.dispatcher, Recorder(), user="bob", size=Where(ask))
        self.fire(self.dispatcher, user="eve", size=1)
        self.fire(self.dispatcher, size=2)
        self.fire(self.dispatcher, user="bob")
        self.fire(self.dispatcher, user="bob", size=3)

        self.assertEqual(asked, [3])

    def test_where_raises(self) -> None:
        """A predicate that raises fails its handler, which is not called, and nobody else."""
        handler, other = Recorder(), Recorder()
        handler_id = self.add(self.dispatcher, handler, size=Where(lambda size: size > 2))
        self.add(self.dispatcher, other)
        result = self.fire(self.dispatcher, size="three")

        self.assertEqual((handler.events, other.events), ([], ["event"]))
        (failure,) = result.failures
        failure.trap(TypeError)
        self.assertEqual([one.handler_id for one in result.outcomes if one.failure], [handler_id])
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_where_raises_once(self) -> None:
        """A predicate that raised is asked again at the next fire."""
        handler = Recorder()
        self.add(self.dispatcher, handler, size=Where(lambda size: size > 2))
        self.fire(self.dispatcher, "first", size="three")
        self.fire(self.dispatcher, "second", size=3)
        self.flushLoggedErrors(TypeError)

        self.assertEqual(handler.events, ["second"])

    def test_where_of_another_failing(self) -> None:
        """Two predicates on one handler must both say yes."""
        spec = {"size": Where(lambda size: size > 2), "user": re.compile("b")}

        self.assertTrue(self.reaches(spec, {"size": 3, "user": "bob"}))
        self.assertFalse(self.reaches(spec, {"size": 3, "user": "eve"}))
        self.assertFalse(self.reaches(spec, {"size": 2, "user": "bob"}))

    def test_predicate_that_fires(self) -> None:
        """A predicate may use the dispatcher, even fire another event."""
        seen = Recorder()
        self.add(self.dispatcher, seen, user="inner")

        def asks(size: int) -> bool:
            self.fire(self.dispatcher, "inner", user="inner")
            return True

        outer = Recorder()
        self.add(self.dispatcher, outer, size=Where(asks))
        self.fire(self.dispatcher, "outer", size=1)

        self.assertEqual((seen.events, outer.events), (["inner"], ["outer"]))

    def test_predicate_that_registers(self) -> None:
        """A predicate may add and remove handlers while it is asked."""
        late = Recorder()
        ids: list[int] = []

        def asks(size: int) -> bool:
            while ids:
                self.successResultOf(self.dispatcher.remove_event_handler(ids.pop()))
            ids.append(self.add(self.dispatcher, late, size=size))
            return True

        handler = Recorder()
        self.add(self.dispatcher, handler, size=Where(asks))
        for number in range(3):
            self.fire(self.dispatcher, number, size=1)

        self.assertEqual(handler.events, [0, 1, 2])
        self.assertEqual(len(self.dispatcher.describe()), 2)

    def test_text_is_no_pattern(self) -> None:
        """A plain string is never taken as a pattern or a glob."""
        self.assertEqual(self.matching(".*", "bob", ".*"), [".*"])
        self.assertEqual(self.matching("*", "bob", "*"), ["*"])

    def test_tuple_is_no_choice(self) -> None:
        """A plain tuple is one value, not several to choose from."""
        self.assertEqual(self.matching(("a", "b"), "a", ("a", "b")), [("a", "b")])


class MemoryTests(MatchTestCase):
    """What firing and matching leave behind."""

    def test_fired_values_are_let_go(self) -> None:
        """Of the ever new values that are fired, only a bounded number is kept (E36, B-E7)."""
        self.add(self.dispatcher, Recorder(), role="admin")
        alive = weakref.WeakSet()  # type: ignore[var-annotated]
        for _ in range(40_000):
            value = Value()
            alive.add(value)
            self.dispatcher.fire_event(None, user=value)
        gc.collect()

        self.assertLess(len(alive), 10_000)

    def test_index_does_not_grow(self) -> None:
        """Firing ever new values takes no memory beyond a bound (E36, B-E7)."""
        dispatcher = self.dispatcher
        wanted: list[dict[str, Any]] = [
            {},
            {"user": 5},
            {"role": re.compile("a")},
            {"user": OneOf(1, 2), "size": 3},
        ]
        for spec in wanted:
            self.add(dispatcher, lambda event: None, **spec)
        for number in range(10_000):
            dispatcher.fire_event(None, user=number, role=str(number), size=-number)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for number in range(10_000, 30_000):
            dispatcher.fire_event(None, user=number, role=str(number), size=-number)
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()

        self.assertLess(grown, 3_000_000)

    def test_many_specs_come_and_go(self) -> None:
        """After handlers with ever new specs were added and removed, nothing has grown."""
        dispatcher = self.dispatcher

        def come_and_go(start: int) -> None:
            for number in range(start, start + 500):
                spec: dict[str, Any] = {
                    "user": number,
                    "role": OneOf(number, "x"),
                    "size": re.compile("a"),
                }
                handler_id = self.add(dispatcher, Recorder(), **spec)
                dispatcher.fire_event(None, user=number, role="x", size="a")
                dispatcher.remove_event_handler(handler_id)

        come_and_go(0)
        gc.collect()
        before = len(gc.get_objects())
        come_and_go(1000)
        gc.collect()

        self.assertLess(len(gc.get_objects()) - before, 200)

    def test_plain_dispatch_makes_no_garbage(self) -> None:
        """A thousand fires leave no cycle for the garbage collector."""
        self.add(self.dispatcher, Recorder())
        for number in range(10):
            self.fire(self.dispatcher, user=number)
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for number in range(1000):
            self.dispatcher.fire_event(None, user=number % 7)

        self.assertLess(gc.collect(), 20)


class CostTests(DispatcherTestCase):
    """What matching costs, in calls of functions."""

    def calls_of_fires(self, handlers: int) -> int:
        """Give the calls for events with ever new values, among so many handlers for others."""
        dispatcher = self.make("user", "role")
        for number in range(handlers):
            self.add(dispatcher, print, user=f"user {number}", role=number)
            self.add(dispatcher, print, "after", role=-1 - number)

        def fire() -> None:
            for number in range(100):
                dispatcher.fire_event(None, user=number, role="role")

        return calls_of(fire)

    def test_does_not_depend_on_the_handlers(self) -> None:
        """What a fire costs does not grow with the number of handlers for other values."""
        self.assertEqual(self.calls_of_fires(10), self.calls_of_fires(5000))

    def test_does_not_depend_on_patterns_for_other_values(self) -> None:
        """Patterns and predicates are tried only where the exact values of their spec match."""
        dispatcher = self.make("user", "role")
        for number in range(500):
            self.add(dispatcher, print, user=f"user {number}", role=re.compile("x"))
        calls = calls_of(lambda: dispatcher.fire_event(None, user="user 7", role="y"))

        self.assertLess(calls, 60)

    def test_registering(self) -> None:
        """What a registration costs does not grow with the number of handlers."""

        def add(count: int) -> int:
            dispatcher = self.make("user")
            for number in range(count):
                self.add(dispatcher, print, user=number)

            def once_more() -> None:
                handler_id = self.add(dispatcher, print, user=-1)
                self.successResultOf(dispatcher.remove_event_handler(handler_id))

            return calls_of(once_more)

        self.assertEqual(add(10), add(3000))


class SeparateDispatchersTests(DispatcherTestCase):
    """Keywords belong to one dispatcher."""

    def test_same_values_other_keywords(self) -> None:
        """Equal values under different keywords are not mixed up."""
        dispatcher = EventDispatcher(("user", "role"), clock=self.clock)
        dispatcher.start()
        handler = Recorder()
        self.add(dispatcher, handler, user="x")
        self.fire(dispatcher, "no", role="x")
        self.fire(dispatcher, "yes", user="x")

        self.assertEqual(handler.events, ["yes"])
