"""Tests of what follows from an attempt: the pure rules, and whole dispatches, against models."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.dispatching import Problem
from tests.properties import PATIENT
from tests.strategies import PHASES
from twisted_dispatcher import DurableDispatcher, HandlerOptions, RetryPolicy, open_store
from twisted_dispatcher.durable.rules import (
    LONGEST_ERROR,
    after_exhaustion,
    after_failure,
    after_success,
    given_back,
    is_exhausted,
    traceback_of,
)
from twisted_dispatcher.records import DEAD, DONE, PENDING, RETRYING, RUNNING, Claim, Settlement
from twisted_dispatcher.testing import pump

SETTINGS = settings(PATIENT, max_examples=60)


def failure(text: str = "no") -> Failure:
    """Give a failure with a traceback."""
    try:
        raise Problem(text)
    except Problem:
        return Failure()


class DeliveryMachine(RuleBasedStateMachine):
    """
    A delivery that is claimed and settled, also by workers that come late.

    The machine is the store, as far as one delivery needs one; the rules say what to write.
    """

    @initialize(
        attempts=st.integers(1, 5),
        initial=st.floats(0, 100),
        factor=st.floats(1, 4),
        maximum=st.floats(0, 1000),
        jitter=st.floats(0, 1),
        stops=st.booleans(),
    )
    def begin(
        self,
        attempts: int,
        initial: float,
        factor: float,
        maximum: float,
        jitter: float,
        stops: bool,
    ) -> None:
        """Accept an event for a handler."""
        self.policy = RetryPolicy(attempts, initial, factor, maximum, jitter)
        self.stops = stops
        self.now = 1000.0
        self.status, self.attempt, self.due = PENDING, 0, self.now
        # How many attempts do not count, and how many that do are over.
        self.excused = self.spent = 0
        self.error: str | None = None
        self.claims: list[Claim] = []
        self.ended: list[Settlement] = []

    @rule(seconds=st.floats(0, 500))
    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    @precondition(lambda self: self.status in (PENDING, RETRYING) and self.due <= self.now)
    @rule()
    def claim(self) -> None:
        """A worker claims what is due."""
        self.attempt += 1
        self.status = RUNNING
        claim = Claim(
            *(7, 3, "key", "handler", "during", 1, self.attempt, "body", "details"), self.excused
        )
        # What died or failed is what counts.
        assert claim.counted == self.spent + 1
        assert is_exhausted(claim, self.policy) == (self.spent >= self.policy.max_attempts)
        if is_exhausted(claim, self.policy):
            self.settle(claim, after_exhaustion(claim, self.stops))
            assert self.status == DEAD
            assert self.error == f"died in {self.attempt - 1}"
        else:
            self.claims.append(claim)

    @precondition(lambda self: self.status == RUNNING)
    @rule()
    def die(self) -> None:
        """The worker dies, and others give the delivery back."""
        self.status, self.due = PENDING, self.now
        self.spent += 1
        self.error = f"died in {self.attempt}"

    @rule()
    @precondition(lambda self: self.status in (DONE, DEAD))
    def replay(self) -> None:
        """Somebody has the delivery run again: its attempts begin anew."""
        self.status, self.due = PENDING, self.now
        self.excused, self.spent = self.attempt, 0
        self.ended.clear()

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        """A worker has called the handler well; perhaps it is late."""
        claim = data.draw(st.sampled_from(self.claims))
        settlement = after_success(claim)
        assert (settlement.status, settlement.due, settlement.error) == (DONE, None, None)
        self.settle(claim, settlement)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        """A worker gives the delivery back."""
        claim = data.draw(st.sampled_from(self.claims))
        settlement = given_back(claim, self.now)
        assert (settlement.status, settlement.due) == (PENDING, self.now)
        self.settle(claim, settlement)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), chance=st.floats(0, 1, exclude_max=True))
    def fail(self, data: st.DataObject, chance: float) -> None:
        """A worker has called the handler badly; perhaps it is late."""
        claim = data.draw(st.sampled_from(self.claims))
        why = f"attempt {claim.attempt}"
        settlement = after_failure(
            claim, failure(why), self.policy, self.now, self.stops, lambda: chance
        )
        assert settlement.error is not None
        assert why in settlement.error
        if claim.counted < self.policy.max_attempts:
            self.check_retry(claim.counted, settlement)
        else:
            assert (settlement.status, settlement.due) == (DEAD, None)
            assert settlement.stops == self.stops
        self.settle(claim, settlement)

    def check_retry(self, attempt: int, settlement: Settlement) -> None:
        """Hold the delay of a retry against the policy."""
        wanted = min(
            self.policy.initial * self.policy.factor ** (attempt - 1), self.policy.maximum
        )
        least, most = wanted * (1 - self.policy.jitter), wanted * (1 + self.policy.jitter)
        assert settlement.status == RETRYING
        assert settlement.due is not None
        assert self.now + least - 0.001 <= settlement.due <= self.now + most + 0.001
        assert not settlement.stops

    def settle(self, claim: Claim, settlement: Settlement) -> None:
        """Write a settlement, unless the fence is up."""
        assert settlement.delivery_id == claim.delivery_id
        assert settlement.event_id == claim.event_id
        assert settlement.attempt == claim.attempt
        if self.status != RUNNING or settlement.attempt != self.attempt:
            return
        self.status, self.error = settlement.status, settlement.error or self.error
        self.excused += settlement.status == PENDING
        self.spent += settlement.status in (RETRYING, DEAD) and settlement.error is not None
        if settlement.due is not None:
            self.due = settlement.due
        if settlement.status in (DONE, DEAD):
            self.ended.append(settlement)

    @invariant()
    def ends_once(self) -> None:
        """It comes to one end at most, and is dead only when its attempts are used up."""
        if not hasattr(self, "policy"):
            return
        assert len(self.ended) == (self.status in (DONE, DEAD))
        if self.status == DEAD:
            assert self.spent == self.policy.max_attempts
        if self.status == RETRYING:
            assert self.spent < self.policy.max_attempts


class DeliveryRulesTests(SynchronousTestCase):
    """The rules of one delivery."""

    def test_delivery(self) -> None:
        """Whatever happens to a delivery, in whatever order, the rules bring it to one end."""
        run_state_machine_as_test(
            DeliveryMachine, settings=settings(SETTINGS, stateful_step_count=30)
        )


class TracebackTests(SynchronousTestCase):
    """What is kept of a failure."""

    def test_long(self) -> None:
        """Of a long traceback the end is kept, within the limit."""
        text = traceback_of(failure("x" * (3 * LONGEST_ERROR) + " the end"))

        self.assertEqual(LONGEST_ERROR, len(text))
        self.assertTrue(text.startswith("..."))
        self.assertTrue(text.strip().endswith("the end"))

    @given(st.text())
    @SETTINGS
    def test_storable(self, text: str) -> None:
        """Whatever an error says, it can be written as UTF-8, without NUL."""
        kept = traceback_of(failure(text))

        self.assertNotIn("\0", kept)
        self.assertTrue(len(kept.encode()) > 0)


# Whole dispatches


@attrs.frozen
class Plan:
    """What one handler is to do: fail so often, then succeed."""

    phase: str
    fails: int
    attempts: int
    guarantee: str

    @property
    def calls(self) -> int:
        """How often it is called for an event that gets to it."""
        if self.guarantee == "at-most-once":
            return 1
        return min(self.fails + 1, self.attempts)

    @property
    def status(self) -> str:
        """What its delivery comes to."""
        if self.guarantee == "at-most-once":
            return DONE
        return DEAD if self.fails >= self.attempts else DONE


plans = st.builds(
    Plan,
    phase=st.sampled_from(PHASES),
    fails=st.integers(0, 3),
    attempts=st.integers(1, 3),
    guarantee=st.sampled_from(["at-least-once", "at-least-once", "exactly-once", "at-most-once"]),
)
policies = st.fixed_dictionaries(
    {phase: st.sampled_from(["continue", "continue", "stop"]) for phase in PHASES}
)
# The lane and the delay of each event.
events = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([0, 0, 3, 7])), max_size=5)


def predict(chosen: list[Plan], policy: dict[str, str]) -> dict[str, tuple[str, int]]:
    """Work out by hand what every delivery of an event comes to, and after how many calls."""
    expected, stopped = {}, False
    for phase in PHASES:
        dead = False
        for number, plan in enumerate(chosen):
            if plan.phase == phase:
                came_to = ("skipped", 0) if stopped else (plan.status, plan.calls)
                expected[f"handler {number}"] = came_to
                dead = dead or came_to[0] == DEAD
        stopped = stopped or (dead and policy[phase] == "stop")
    return expected


class Run:
    """A dispatcher in memory with the handlers of some plans, and what they do."""

    def __init__(self, chosen: list[Plan], policy: dict[str, str], ordered: bool) -> None:
        self.clock = Clock()
        self.store = open_store("sqlite://", reactor=self.clock)
        self.calls: dict[tuple[int, str], int] = defaultdict(int)
        self.log: list[tuple[int, str]] = []
        self.dispatcher = DurableDispatcher(
            self.store,
            ("lane",),
            on_failure=policy,
            order_by=("lane",) if ordered else None,
            clock=self.clock,
        )
        for number, plan in enumerate(chosen):
            self.register(number, plan)
        self.dispatcher.start()
        pump(self.clock, self.dispatcher.when_ready())

    def register(self, number: int, plan: Plan) -> None:
        """Register the handler of a plan."""
        name = f"handler {number}"
        retry = RetryPolicy(plan.attempts, initial=1, factor=1, jitter=0)
        options = HandlerOptions(
            name=name,
            guarantee=plan.guarantee,
            retry=None if plan.guarantee == "at-most-once" else retry,
        )

        def handler(event: int, *transaction: Any) -> None:
            self.calls[event, name] += 1
            self.log.append((event, plan.phase))
            if self.calls[event, name] <= plan.fails:
                raise Problem

        self.dispatcher.on(plan.phase, options=options)(handler)

    def fire(self, fired: list[tuple[str, int]]) -> None:
        """Accept events in one turn, and wait until all are settled."""
        accepting = [
            self.dispatcher.accept_event(number, key=str(number), at=delay, lane=lane)
            for number, (lane, delay) in enumerate(fired)
        ]
        for each in accepting:
            pump(self.clock, each)
        while pump(self.clock, self.store.counts())["open"]:
            self.clock.advance(0.5)

    def came_to(self, event: int) -> dict[str, tuple[str, int]]:
        """Tell what every delivery of an event came to, and after how many calls."""
        found = pump(self.clock, self.store.deliveries(key=str(event)))
        return {each.handler: (each.status, self.calls[event, each.handler]) for each in found}

    def close(self) -> None:
        """Stop."""
        pump(self.clock, self.dispatcher.stop())
        pump(self.clock, self.store.close())


class DispatchModelTests(SynchronousTestCase):
    """Events through handlers that fail and succeed, against what was worked out by hand."""

    @given(st.lists(plans, max_size=6), policies, events, st.booleans())
    @SETTINGS
    def test_dispatch(
        self,
        chosen: list[Plan],
        policy: dict[str, str],
        fired: list[tuple[str, int]],
        ordered: bool,
    ) -> None:
        """Every delivery comes to what its plan, and the failures before it, make of it."""
        run = Run(chosen, policy, ordered)
        try:
            run.fire(fired)

            expected = predict(chosen, policy)
            for event in range(len(fired)):
                self.assertEqual(expected, run.came_to(event))
                ranks = [PHASES.index(phase) for each, phase in run.log if each == event]
                self.assertEqual(sorted(ranks), ranks)
            for lane in "ab" if ordered else "":
                order = [event for event, _ in run.log if fired[event][0] == lane]
                self.assertEqual(sorted(order), order)
        finally:
            run.close()
            self.flushLoggedErrors(Problem)
