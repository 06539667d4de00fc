"""The schedule: what is due is executed, by one, when its time has come (C70 to C76)."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

from twisted.internet.defer import Deferred

from tests.chains import ChainTestCase, refusing, transition
from tests.durable import EPOCH
from twisted_dispatcher.chains import DONE, NEW, ChainNotScheduled
from twisted_dispatcher.chains.rules import FIRST_RETRY
from twisted_dispatcher.errors import (
    InvalidOptions,
    InvalidTransition,
    StoreUnavailable,
    UnknownChain,
)

DAY = 86_400.0
GO = transition("Go", "gone")
NOW = datetime.fromtimestamp(EPOCH, timezone.utc)


def graph(**attributes: Any) -> Any:
    """Make a graph of two transitions, of which the first says when the second may be made."""
    return {NEW: [transition("Go", "gone", **attributes)], "gone": [transition("On", "on")],
            "on": []}  # fmt: skip


class ArgumentTests(ChainTestCase):
    """What a chain dispatcher cannot be made of."""

    def test_numbers(self) -> None:
        """A number out of its range is refused, with the name of the argument."""
        bad: dict[str, list[Any]] = {
            "every": [-5, 0, "1h", None],
            "lease": [-1, 0],
            "at_once": [0, 1.5, None],
            "max_failures": [0, "x"],
            "keep_ended": [-1, "x"],
            "drain": [-1],
        }
        for name, values in bad.items():
            for value in values:
                error = self.assertRaises(
                    InvalidOptions, self.chains, {NEW: [GO], "gone": []}, **{name: value}
                )

                self.assertTrue(str(error).startswith(f"{name} is "), error)
                self.assertTrue(str(error).endswith(f", not {value!r}"), error)


class NextUpdateTests(ChainTestCase):
    """A chain says before which time it is not executed."""

    def test_new(self) -> None:
        """A new chain is due when it is made (C70, C93)."""
        chains = self.chains({NEW: [GO], "gone": []})
        chain = self.get(chains)

        self.assertEqual(NOW, chain.next_update)
        self.assertEqual([chain.id], [each.id for each in self.wait(chains.due())])

    def test_in_the_future(self) -> None:
        """Before its time a chain is not executed, to the second (C71, C73)."""
        chains = self.chains(graph(next_update=NOW + timedelta(hours=36)))
        self.execute(chains, callback=self.callback)
        self.clock.advance(1.5 * DAY - 1)
        error = self.assertRaises(ChainNotScheduled, self.execute, chains)
        self.assertIsInstance(error, ValueError)
        self.assertIn("Chain not scheduled to update yet", str(error))
        self.assertEqual([], self.wait(chains.due()))
        self.clock.advance(1)

        self.assertEqual("on", self.execute(chains, callback=self.callback).state)

    def test_forms(self) -> None:
        """It is an aware datetime, a date, seconds or a timedelta (C73, C76)."""
        midnight = datetime(2027, 1, 20, tzinfo=timezone.utc)
        forms: list[tuple[dict[str, Any], datetime]] = [
            ({"next_update": midnight}, midnight),
            ({"date_next_update": date(2027, 1, 20)}, midnight),
            ({"next_update": midnight.timestamp()}, midnight),
            ({"date_next_update": timedelta(days=2)}, NOW + timedelta(days=2)),
            ({"date_next_update": property(lambda self: midnight)}, midnight),
        ]
        for n, (attributes, expected) in enumerate(forms):
            chains = self.chains(graph(**attributes), f"type {n}")
            self.execute(chains, callback=self.callback)

            self.assertEqual(expected, self.stored(chains).next_update)
            self.assertRaises(ChainNotScheduled, self.execute, chains)

    def test_after_the_callback(self) -> None:
        """The callback may still say when it goes on (C73)."""

        def callback(made: Any) -> None:
            made.next_update = timedelta(days=1)

        chains = self.chains(graph())
        self.execute(chains, callback=callback)

        self.assertEqual(NOW + timedelta(days=1), self.stored(chains).next_update)

    def test_naive(self) -> None:
        """A datetime without a zone is refused, also where it is known only then (C76)."""
        chains = self.chains(graph(next_update=property(lambda self: datetime(2027, 1, 1))))

        self.assertRaises(InvalidTransition, self.execute, chains, callback=self.callback)
        self.assertEqual(NEW, self.stored(chains).state)

    def test_none(self) -> None:
        """A transition that says nothing leaves the time as it was (C74)."""
        chains = self.chains(graph())
        self.execute(chains, callback=self.callback)

        self.assertEqual(NOW, self.stored(chains).next_update)
        self.assertEqual("on", self.execute(chains, callback=self.callback).state)

    def test_clock_behind(self) -> None:
        """A chain that a machine with a fast clock has made is executed at once (C75)."""
        chains = self.chains({NEW: [GO], "gone": []})
        chain = self.get(chains)
        self.clock.rightNow -= 3600

        self.assertEqual("gone", self.execute(chains, chain, callback=self.callback).state)

    def test_run_stops(self) -> None:
        """run_chain stops where the chain is not to go on yet."""
        chains = self.chains(graph(next_update=NOW + timedelta(days=1)))
        self.get(chains)
        result = self.wait(chains.run_chain(callback=self.callback))

        self.assertEqual("gone", result.state)
        self.assertEqual(0.0, self.stored(chains).stored.locked_until)


class ScheduleTests(ChainTestCase):
    """The schedule executes chains that are due."""

    def test_due(self) -> None:
        """Due chains are executed as far as they get, and those that become due."""
        chains = self.chains(graph(next_update=NOW + timedelta(days=7)), requests_by="service")
        chains.start(self.callback, callback_args={"n": 1})
        self.assertTrue(chains.running)
        self.wait(chains.when_ready())
        self.get(chains)
        self.clock.advance(1)
        self.assertEqual([("Go", {"n": 1})], self.called)
        self.clock.pump([3600] * (24 * 7))

        self.assertEqual(["Go", "On"], [name for name, _ in self.called])
        self.assertEqual([("gone", "service"), ("on", "service")], self.history(chains))
        self.wait(chains.stop())
        self.assertFalse(chains.running)

    def test_refused(self) -> None:
        """What is refused is tried again after an hour, and says why."""
        asked: list[float] = []

        def is_valid(self_: Any) -> bool:
            asked.append(self.clock.seconds() - EPOCH)
            self_.errors.append("too early")
            return False

        chains = self.chains({NEW: [transition("Go", DONE, is_valid)]})
        self.get(chains)
        chains.start(self.callback)
        self.clock.pump([10] * 1000)

        self.assertEqual([0, 3600, 7200], [round(each, -2) for each in asked])
        standing = self.wait(chains.why())
        self.assertEqual({"<Go>": ["too early"]}, standing.refusals)
        assert standing.tried is not None and standing.next_try is not None
        self.assertEqual(timedelta(hours=1), standing.next_try - standing.tried)

    def test_refused_until(self) -> None:
        """A time that is to come decides, not the hour."""
        no = transition("No", DONE, refusing())
        chains = self.chains({NEW: [transition("Go", "gone", next_update=timedelta(days=3))],
                              "gone": [no]}, every=60.0)  # fmt: skip
        self.get(chains)
        chains.start(self.callback)
        self.clock.advance(1)
        standing = self.wait(chains.why())
        assert standing.next_try is not None

        self.assertEqual(1 + 3 * DAY, standing.next_try.timestamp() - EPOCH)

    def test_limit(self) -> None:
        """No more are executed at once than the limit says, and all of them in time."""
        waiting: list[Deferred[None]] = []

        def callback(made: Any) -> Deferred[None]:
            waiting.append(Deferred())
            return waiting[-1]

        chains = self.chains({NEW: [GO], "gone": []}, at_once=3)
        for n in range(8):
            self.get(chains, [("item", str(n))])
        chains.start(callback)
        for begun in (3, 6, 8):
            self.clock.advance(2)
            self.assertEqual(begun, len(waiting))
            for each in [each for each in waiting if not each.called]:
                each.callback(None)
        self.clock.advance(1)

        self.assertEqual({"gone": 8}, self.wait(chains.counts()))

    def test_two_processes(self) -> None:
        """Of several machines one executes each chain."""
        second = self.new_dispatcher(self.dispatcher.backstage.store)
        both = [self.chains(graph(), dispatcher=each) for each in (self.dispatcher, second)]
        for n in range(20):
            self.get(both[0], [("item", str(n))])

        def callback(made: Any) -> None:
            self.called.append((made.chain.id, made.name))

        for each in both:
            each.start(callback)
        self.clock.pump([0.5] * 10)

        self.assertEqual(40, len(self.called))
        self.assertEqual(40, len(set(self.called)))

    def test_failure(self) -> None:
        """A callback that fails is tried again later and later, and parks the chain at last."""
        tried: list[float] = []

        def callback(made: Any) -> None:
            tried.append(self.clock.seconds() - EPOCH)
            raise OSError("no mail")

        chains = self.chains(graph(), max_failures=4)
        chain = self.get(chains)
        chains.start(callback)
        self.clock.pump([10] * 5000)

        gaps = [round(b - a, -1) for a, b in pairwise(tried)]
        self.assertEqual([FIRST_RETRY * n for n in (1, 2, 4)], gaps)
        standing = self.wait(chains.why())
        self.assertEqual((True, 4, None), (standing.parked, standing.failures, standing.next_try))
        self.assertIn("OSError: no mail", standing.error or "")
        self.assertEqual([chain.id], [c.id for c in self.wait(chains.chains(parked=True))])
        self.assertEqual(4, len(self.flushLoggedErrors(OSError)))

        chains._schedule.order = type(chains._schedule.order)(self.callback)
        self.wait(chains.resume(chain))
        self.clock.advance(1)
        self.assertEqual(["Go", "On"], [name for name, _ in self.called])
        self.assertEqual([], self.wait(chains.chains(parked=True)))

    def test_loop(self) -> None:
        """A chain that goes round and round is parked in the end."""
        chains = self.chains(
            {NEW: [transition("A", "a")], "a": [transition("B", "a")]}, max_failures=2
        )
        self.get(chains)
        chains.start(self.callback)
        self.clock.pump([60] * 100)

        # Failures in a row are those without a transition between them.
        self.assertIn("ChainLoop", self.wait(chains.why()).error or "")
        self.assertLess(len(self.called), 5000)
        self.flushLoggedErrors()

    def test_stop(self) -> None:
        """Stopping waits for what is executed, and then gives it back."""
        chains = self.chains(graph(), drain=10)
        self.get(chains)
        waiting: Deferred[None] = Deferred()
        chains.start(lambda made: waiting)
        self.clock.advance(1)
        stopping = chains.stop()
        self.clock.advance(9)
        self.assertNoResult(stopping)
        self.clock.advance(1)
        self.wait(stopping)

        self.assertEqual(NEW, self.stored(chains).state)
        standing = self.wait(chains.why())
        self.assertEqual((None, 0), (standing.locked_until, standing.failures))
        chains.start(self.callback)
        self.clock.advance(1)
        self.assertEqual(["Go", "On"], [name for name, _ in self.called])

    def test_stop_twice(self) -> None:
        """Starting what runs and stopping what does not is harmless."""
        chains = self.chains(graph())
        self.wait(chains.stop())
        chains.start(self.callback)
        chains.start(self.callback)
        self.wait(chains.when_ready())
        self.wait(chains.stop())
        self.wait(chains.stop())
        self.get(chains)
        self.clock.advance(5)

        self.assertEqual([], self.called)

    def test_store_away(self) -> None:
        """While the store is away the schedule goes on trying."""
        chains = self.chains(graph())
        self.get(chains)
        store: Any = self.dispatcher.backstage.store

        def fail(point: str) -> None:
            raise StoreUnavailable("away")

        store.on_point = fail
        chains.start(self.callback)
        self.clock.pump([1] * 5)
        store.on_point = None
        self.clock.pump([1] * 5)

        self.assertEqual(["Go", "On"], [name for name, _ in self.called])
        self.flushLoggedErrors(StoreUnavailable)

    def test_retention(self) -> None:
        """Chains at their end are forgotten after a while, if that is wanted."""
        chains = self.chains({NEW: [GO], "gone": []}, keep_ended=10 * DAY)
        chain = self.get(chains)
        chains.start(self.callback)
        self.clock.pump([3600] * 24 * 9)
        self.assertEqual("gone", self.wait(chains.get_chain(chain.id)).state)
        self.clock.pump([3600] * 48)

        self.assertRaises(UnknownChain, self.wait, chains.get_chain(chain.id))

    def test_disabled(self) -> None:
        """The schedule leaves a disabled chain alone, until it is enabled."""
        chains = self.chains(graph())
        chain = self.get(chains)
        self.wait(chains.disable(chain))
        chains.start(self.callback)
        self.clock.pump([10] * 1000)
        self.assertEqual([], self.called)
        self.wait(chains.enable(chain))
        self.clock.advance(1)

        self.assertEqual(["Go", "On"], [name for name, _ in self.called])

    def test_clock_jumps(self) -> None:
        """A clock that jumps does not let a chain be executed twice at once."""
        waiting: list[Deferred[None]] = []

        def callback(made: Any) -> Deferred[None]:
            self.called.append(made.name)
            waiting.append(Deferred())
            return waiting[-1]

        chains = self.chains(graph())
        self.get(chains)
        chains.start(callback)
        self.clock.advance(1)
        for jump in (7200, -10_000, 30_000):
            self.clock.rightNow += jump
            chains._schedule.look()
            self.clock.advance(2)
        self.assertEqual(["Go"], self.called)
        waiting[0].callback(None)
        self.clock.advance(1)
        waiting[1].callback(None)
        self.clock.advance(1)

        self.assertEqual([("gone", None), ("on", None)], self.history(chains))
