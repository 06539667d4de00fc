"""Dispatches of random handlers against a small model of what phases and order mean."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail, inlineCallbacks, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PATIENT
from tests.strategies import PHASES
from twisted_dispatcher import EventDispatcher, HandlerOptions, errors

SETTINGS = settings(PATIENT, max_examples=300)
# Waits take whole seconds, time limits end at halves, fires are cancelled at quarters and a bit
# for each. So no two of these ever happen at the same time.
HALF = 0.5
QUARTER = 0.25
BIT = 1 / 64


class Problem(Exception):
    """What handlers fail with here."""


@attrs.frozen
class Plan:
    """What one handler is to do."""

    phase: str
    way: str
    waits: tuple[int, ...] = ()
    fails: bool = False
    timeout: float | None = None
    removes: int | None = None

    @property
    def seconds(self) -> int:
        """How long it takes if nobody interferes."""
        return sum(self.waits)


# Ways that answer at once, and ways that wait.
QUICK = ("plain", "fired", "quick coroutine", "forgetful")
SLOW = ("deferred", "coroutine", "inlineCallbacks", "stubborn", "nested")

plans = st.one_of(
    st.builds(
        Plan,
        phase=st.sampled_from(PHASES),
        way=st.sampled_from(QUICK),
        fails=st.booleans(),
        removes=st.none() | st.integers(0, 9),
    ),
    st.builds(
        Plan,
        phase=st.sampled_from(PHASES),
        way=st.sampled_from(SLOW),
        waits=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
        fails=st.booleans(),
        timeout=st.none() | st.integers(0, 5).map(lambda whole: whole + HALF),
        removes=st.none() | st.integers(0, 9),
    ),
)
policies = st.fixed_dictionaries(
    {phase: st.sampled_from(["continue", "continue", "stop"]) for phase in PHASES}
)
moments = st.integers(0, 12).map(lambda whole: whole + QUARTER)


# The model


@attrs.define
class Expected:
    """What is to come of one event: who starts when, what each comes to, and when all is done."""

    starts: list[tuple[int, float]] = attrs.Factory(list)
    outcomes: list[tuple[int, str]] = attrs.Factory(list)
    failures: int = 0
    end: float = 0.0
    cancelled: bool = False


def ending(plan: Plan) -> tuple[float, str]:
    """Give how long a handler takes and what it comes to."""
    if plan.timeout is not None and plan.timeout < plan.seconds:
        return plan.timeout, "swallowed" if plan.way == "stubborn" else "HandlerTimeout"
    return plan.seconds, "Problem" if plan.fails else "value"


def removed_by(plan: Plan, came_to: str) -> int | None:
    """Give the handler that a handler removes just before it ends of itself."""
    return plan.removes if came_to in ("Problem", "value") else None


def predict(
    chosen: Sequence[Plan], policy: dict[str, str], cancelled_at: float | None
) -> Expected:
    """Work out by hand what a dispatch of these handlers is to be."""
    expected, gone = Expected(), set[int | None]()
    for phase in PHASES:
        begin, seconds, failed, later_gone = expected.end, 0.0, False, set[int | None]()
        for number, plan in enumerate(chosen):
            if plan.phase != phase or number in gone:
                continue
            expected.starts.append((number, begin))
            takes, came_to = ending(plan)
            if cancelled_at is not None and begin + takes > cancelled_at:
                expected.cancelled = True
                continue
            expected.outcomes.append((number, came_to))
            (later_gone if takes else gone).add(removed_by(plan, came_to))
            if came_to in ("Problem", "HandlerTimeout"):
                failed = True
                expected.failures += 1
            seconds = max(seconds, takes)
        gone |= later_gone
        expected.end += seconds
        if expected.cancelled:
            expected.end = cancelled_at or 0.0
            break
        if failed and policy[phase] == "stop":
            break
    return expected


# The real thing


class Stage:
    """A dispatcher with handlers that do what they are to do."""

    def __init__(self, chosen: Sequence[Plan], policy: dict[str, str]) -> None:
        self.clock = Clock()
        self.dispatcher = EventDispatcher(("kind",), on_failure=policy, clock=self.clock)
        self.dispatcher.start()
        self.starts: list[tuple[int, float]] = []
        self.inner: list[Deferred[Any]] = []
        self.ids: list[int] = []
        for number, plan in enumerate(chosen):
            self.dispatcher.add_event_handler(
                self.handler(number, plan),
                plan.phase,
                False,
                options=HandlerOptions(name=str(number), timeout=plan.timeout),
                kind="outer",
            ).addCallback(self.ids.append)
        self.dispatcher.on("before", kind="inner")(self.wait)

    def wait(self, seconds: int) -> Deferred[None]:
        """Wait so long."""
        return deferLater(self.clock, seconds)

    def handler(self, number: int, plan: Plan) -> Callable[[Any], Any]:
        """Give the function that follows a plan."""
        act = getattr(self, "act_" + plan.way.replace(" ", "_"))

        def start(event: Any) -> Any:
            self.starts.append((number, self.clock.seconds()))
            return act(plan)

        return start

    def finish(self, plan: Plan) -> str:
        """Do what a handler does last."""
        if plan.removes is not None and plan.removes < len(self.ids):
            removing = self.dispatcher.remove_event_handler(self.ids[plan.removes])
            removing.addErrback(lambda failure: failure.trap(KeyError))
        if plan.fails:
            raise Problem
        return "value"

    def act_plain(self, plan: Plan) -> str:
        """Answer."""
        return self.finish(plan)

    def act_fired(self, plan: Plan) -> Deferred[str]:
        """Answer with a Deferred that has fired."""
        try:
            return succeed(self.finish(plan))
        except Problem:
            return fail()

    async def act_quick_coroutine(self, plan: Plan) -> str:
        """Wait for what is there."""
        await succeed(None)
        return self.finish(plan)

    def act_forgetful(self, plan: Plan) -> str:
        """Fire another event and do not wait for it."""
        self.inner.append(self.dispatcher.fire_event(2, kind="inner"))
        return self.finish(plan)

    def act_deferred(self, plan: Plan) -> Deferred[str]:
        """Answer with a Deferred that fires later."""
        return self.wait(plan.seconds).addCallback(lambda _: self.finish(plan))

    async def act_coroutine(self, plan: Plan) -> str:
        """Wait several times."""
        for seconds in plan.waits:
            await self.wait(seconds)
        return self.finish(plan)

    @inlineCallbacks
    def act_inlineCallbacks(self, plan: Plan) -> Any:  # noqa: N802 (named after what it shows)
        """Wait several times, in the old way."""
        for seconds in plan.waits:
            yield self.wait(seconds)
        return self.finish(plan)

    async def act_stubborn(self, plan: Plan) -> str:
        """Wait, and answer in spite of being cancelled."""
        try:
            await self.wait(plan.seconds)
        except CancelledError:
            return "swallowed"
        return self.finish(plan)

    async def act_nested(self, plan: Plan) -> str:
        """Fire other events and wait for them."""
        for seconds in plan.waits:
            firing = self.dispatcher.fire_event(seconds, kind="inner")
            self.inner.append(firing)
            await firing
        return self.finish(plan)


def pass_time(clock: Clock) -> None:
    """Let time pass, from one thing that is to happen to the next, until nothing is."""
    for _ in range(1000):
        if not clock.getDelayedCalls():
            return
        clock.advance(clock.getDelayedCalls()[0].getTime() - clock.seconds())
    raise AssertionError("it never ends")


class PhasesModelTests(SynchronousTestCase):
    """One event through random handlers."""

    @SETTINGS
    @given(st.lists(plans, max_size=8), policies, st.none() | st.none() | moments)
    def test_phases(
        self, chosen: list[Plan], policy: dict[str, str], cancelled_at: float | None
    ) -> None:
        """Handlers start when and as often as they should, come to what they should, and end."""
        expected = predict(chosen, policy, cancelled_at)
        stage = Stage(chosen, policy)
        ends: list[tuple[float, Any]] = []
        firing = stage.dispatcher.fire_event("event", kind="outer")
        firing.addBoth(lambda result: ends.append((stage.clock.seconds(), result)))
        if cancelled_at is not None:
            stage.clock.callLater(cancelled_at, firing.cancel)
        pass_time(stage.clock)
        logged = self.flushLoggedErrors()

        self.assertEqual(stage.starts, expected.starts)
        ((end, result),) = ends
        self.assertEqual(end, expected.end)
        if expected.cancelled:
            result.trap(CancelledError)
        else:
            self.assertEqual(
                [(int(one.name), came_to(one)) for one in result.outcomes], expected.outcomes
            )
        self.assertEqual(len(logged), expected.failures)
        self.assertTrue(all(inner.called for inner in stage.inner))
        self.assertEqual(stage.clock.getDelayedCalls(), [])
        self.successResultOf(stage.dispatcher.stop())


def came_to(outcome: Any) -> str:
    """Give what a handler came to, in the model's words."""
    if outcome.failure is None:
        return str(outcome.value)
    outcome.failure.trap(Problem, errors.HandlerTimeout)
    return str(outcome.failure.type.__name__)


# Several events


@attrs.frozen
class Fired:
    """An event of its own duration in each phase."""

    at: int
    user: str
    waits: tuple[int, int, int]
    cancelled_at: float | None = None


def apart(events: list[Fired]) -> list[Fired]:
    """Move the moments at which events are cancelled apart."""
    return [
        event
        if event.cancelled_at is None
        else attrs.evolve(event, cancelled_at=event.cancelled_at + number * BIT)
        for number, event in enumerate(events)
    ]


fired = st.builds(
    Fired,
    at=st.integers(0, 6),
    user=st.sampled_from("ab"),
    waits=st.tuples(*[st.integers(0, 2)] * 3),
    cancelled_at=st.none() | st.none() | moments,
)


@attrs.define
class Timetable:
    """When the phases of events begin, and when and how their fires end."""

    starts: list[tuple[float, int, str]] = attrs.Factory(list)
    ends: dict[int, tuple[float, str]] = attrs.Factory(dict)


def timetable(
    events: Sequence[Fired], order_by: tuple[str, ...] | None, stopped_at: float | None
) -> Timetable:
    """Work out by hand when what is to happen."""
    table = Timetable()
    free: dict[Any, float] = {}
    for number, event in sorted(enumerate(events), key=lambda pair: pair[1].at):
        if stopped_at is not None and event.at > stopped_at:
            table.ends[number] = (event.at, "not dispatched")
            continue
        lane = number if order_by is None else tuple(getattr(event, name) for name in order_by)
        moment = max(float(event.at), free.get(lane, 0.0))
        cancelled_at = event.cancelled_at
        if cancelled_at is None or cancelled_at < event.at:
            cancelled_at = float("inf")
        if cancelled_at < moment:
            table.ends[number] = (cancelled_at, "cancelled")
            continue
        for phase, seconds in zip(PHASES, event.waits):
            if moment < cancelled_at:
                table.starts.append((moment, number, phase))
                moment += seconds
        done = moment < cancelled_at
        free[lane] = min(moment, cancelled_at)
        table.ends[number] = (free[lane], "done" if done else "cancelled")
    return table


class EventsModelTests(SynchronousTestCase):
    """Several events through a slow handler in each phase, in order or not."""

    def handler(self, phase: str) -> Callable[[int], Awaitable[None] | None]:
        """Give a handler that waits as long as the event wants in this phase."""

        def handle(number: int) -> Awaitable[None] | None:
            self.starts.append((self.clock.seconds(), number, phase))
            seconds = self.events[number].waits[PHASES.index(phase)]
            return deferLater(self.clock, seconds) if seconds else None

        return handle

    def fire(self, number: int) -> None:
        """Fire one of the events, and have it cancelled in time."""
        event = self.events[number]
        firing = self.dispatcher.fire_event(number, user=event.user)

        def end(result: Any) -> None:
            if isinstance(getattr(result, "value", None), CancelledError):
                word = "cancelled"
            else:
                word = "done" if result.dispatched else "not dispatched"
            self.ends[number] = (self.clock.seconds(), word)

        firing.addBoth(end)
        if event.cancelled_at is not None and event.cancelled_at > event.at:
            self.clock.callLater(event.cancelled_at - event.at, firing.cancel)

    def stop(self) -> None:
        """Stop, and note when that is done."""
        stopping = self.dispatcher.stop()
        stopping.addCallback(lambda _: self.stops.append(self.clock.seconds()))

    @SETTINGS
    @given(
        st.lists(fired, max_size=8).map(apart),
        st.sampled_from([None, (), ("user",)]),
        st.none() | st.none() | st.integers(0, 9).map(lambda whole: whole + HALF),
    )
    def test_order(
        self, events: list[Fired], order_by: tuple[str, ...] | None, stopped_at: float | None
    ) -> None:
        """Events begin in turn, end in time, and stop() waits for those accepted before it."""
        table = timetable(events, order_by, stopped_at)
        self.clock, self.events = Clock(), events
        self.starts: list[tuple[float, int, str]] = []
        self.ends: dict[int, tuple[float, str]] = {}
        self.stops: list[float] = []
        self.dispatcher = EventDispatcher(("user",), order_by=order_by, clock=self.clock)
        self.dispatcher.start()
        for phase in PHASES:
            self.dispatcher.on(phase)(self.handler(phase))
        for number, event in enumerate(events):
            self.clock.callLater(event.at, self.fire, number)
        if stopped_at is not None:
            self.clock.callLater(stopped_at, self.stop)
        pass_time(self.clock)

        self.assertEqual(sorted(self.starts), sorted(table.starts))
        self.assertEqual(self.ends, table.ends)
        if stopped_at is not None:
            accepted = [end for end, word in table.ends.values() if word != "not dispatched"]
            self.assertEqual(self.stops, [max([stopped_at, *accepted])])
        self.assertEqual(self.flushLoggedErrors(), [])
