"""Random graphs and interleavings: chains end where a sequential run could have brought them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.chains import configured, transition
from tests.durable import EPOCH
from tests.properties import PATIENT
from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.chains import NEW, ChainDispatcher, ChainError
from twisted_dispatcher.testing import pump

STATES = (NEW, "a", "b", "c", "d")
PROCESSES = 3
SETTINGS = settings(PATIENT, max_examples=100)


class Failing(Exception):
    """What callbacks fail with."""


@attrs.frozen
class Way:
    """A transition: where it leads, and at which versions of a chain it is refused."""

    target: str
    refused: frozenset[int]


@attrs.define
class World:
    """What the outside world does to the callbacks that are called."""

    waiting: list[Deferred[None]] = attrs.field(factory=list)
    called: list[tuple[int, str]] = attrs.field(factory=list)
    # What the next callbacks do: succeed, fail, or wait.
    moods: list[str] = attrs.field(factory=list)

    def callback(self, made: Any) -> Any:
        """Be called for a transition."""
        mood = self.moods.pop() if self.moods else "succeed"
        self.called.append((made.chain.version, made.name))
        if mood == "fail":
            raise Failing
        if mood == "wait":
            self.waiting.append(Deferred())
            return self.waiting[-1]
        return None


WAYS = st.builds(Way, st.sampled_from(STATES[1:]), st.frozensets(st.integers(0, 6)))
GRAPHS = st.dictionaries(st.sampled_from(STATES), st.lists(WAYS, max_size=3))
STEPS = st.one_of(
    st.tuples(
        st.sampled_from(["execute", "run", "dry run", "schedule"]),
        st.integers(0, PROCESSES - 1),
    ),
    st.tuples(st.sampled_from(["fail", "wait"]), st.just(0)),
    st.tuples(st.sampled_from(["answer", "break", "cancel"]), st.integers(0, 5)),
    st.tuples(st.sampled_from(["disable", "enable", "signal"]), st.just(0)),
    st.tuples(st.just("pass"), st.sampled_from([1, 30, 61, 3600])),
    st.tuples(st.just("jump"), st.sampled_from([-7200, -61, 61, 86_401])),
    st.tuples(st.just("die"), st.integers(0, PROCESSES - 1)),
)


def name_of(state: str, number: int) -> str:
    """Give the name of a transition."""
    return f"{state}{number}"


def graph_of(graph: dict[str, list[Way]]) -> dict[str, list[Any]]:
    """Make the transitions; states that cannot be reached are left out."""

    def valid(way: Way) -> Callable[[Any], bool]:
        return lambda self: self.chain.version not in way.refused

    reached, ahead = {NEW}, [NEW]
    while ahead:
        for way in graph.get(ahead.pop(), ()):
            if way.target not in reached:
                reached.add(way.target)
                ahead.append(way.target)
    return {
        state: [
            transition(name_of(state, n), way.target, valid(way))
            for n, way in enumerate(graph.get(state, ()))
        ]
        for state in STATES
        if state in reached
    }


def sequential(graph: dict[str, list[Way]], length: int) -> list[tuple[str, str]]:
    """Give the transitions that one executor makes, one after another, and their states."""
    state, made = NEW, []
    for version in range(length):
        for n, way in enumerate(graph.get(state, ())):
            if version not in way.refused:
                made.append((name_of(state, n), way.target))
                state = way.target
                break
        else:
            break
    return made


@implementer(IReactorTime)
class WallClock:
    """The clock on the wall of a process, which can be set; waits go by the reactor's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead = 0.0
        self.callLater = clock.callLater
        self.getDelayedCalls = clock.getDelayedCalls

    def seconds(self) -> float:
        """Give the time."""
        return self._clock.seconds() + self.ahead


class Machines:
    """Some processes on one store, and what happens to them."""

    def __init__(self, graph: dict[str, list[Way]]) -> None:
        self.world = World()
        self.clock = Clock()
        self.clock.advance(EPOCH)
        self.store: Any = open_store("sqlite://", reactor=self.clock)
        self.config = configured(graph_of(graph))
        self.clocks = [WallClock(self.clock) for _ in range(PROCESSES)]
        self.processes = [self.process(each) for each in self.clocks]
        self.chain = self.wait(self.processes[0].get_or_create_chain([("order", "1")]))
        self.asked: list[Deferred[Any]] = []

    def process(self, clock: Any) -> ChainDispatcher:
        """Start a process."""
        dispatcher = DurableDispatcher(self.store, clock=clock)
        dispatcher.start()
        self.clock.advance(0)
        return ChainDispatcher("cart", self.config, dispatcher=dispatcher, lease=60)

    def wait(self, deferred: Deferred[Any]) -> Any:
        """Let the store answer."""
        return pump(self.clock, deferred, 0.0)

    def do(self, step: str, number: int) -> None:
        """Do one step."""
        if step in ("fail", "wait"):
            self.world.moods.append(step)
        elif step in ("answer", "break"):
            self.answer(step, number)
        elif step == "cancel":
            self.cancel(number)
        elif step == "pass":
            self.clock.advance(number)
        elif step == "jump":
            self.clocks[abs(number) % PROCESSES].ahead += number
        else:
            getattr(self, step.replace(" ", "_"))(number)

    def ask(self, number: int, method: str, **named: Any) -> None:
        """Have a process do something with the chain."""
        process = self.processes[number]
        asked = getattr(process, method)(self.chain.id, **named)
        # What is refused, or fails because it was meant to, is no surprise.
        asked.addErrback(lambda failure: failure.trap(ChainError, Failing, CancelledError))
        self.asked.append(asked)
        self.clock.advance(0)

    def execute(self, number: int) -> None:
        """Execute the chain."""
        self.ask(number, "execute_chain", callback=self.world.callback)

    def run(self, number: int) -> None:
        """Execute it as far as it goes."""
        self.ask(number, "run_chain", callback=self.world.callback)

    def dry_run(self, number: int) -> None:
        """See what executing it would come to."""
        self.ask(number, "execute_chain", callback=self.world.callback, dry_run=True)

    def disable(self, number: int) -> None:
        """Keep it from being executed."""
        self.ask(number, "disable")

    def enable(self, number: int) -> None:
        """Allow it again."""
        self.ask(number, "enable")

    def signal(self, number: int) -> None:
        """Tell it something."""
        self.ask(number, "signal", name="something")

    def schedule(self, number: int) -> None:
        """Start the schedule of a process, or stop it."""
        process = self.processes[number]
        if process.running:
            process.stop()
        else:
            process.start(self.world.callback)
        self.clock.advance(0)

    def die(self, number: int) -> None:
        """Let a process die that has the chain; a new one takes its place."""
        clock = self.clocks[number]
        now = clock.seconds()
        self.wait(self.store.chains.lock(self.chain.id, now + 60, now))
        self.processes[number] = self.process(clock)

    def answer(self, step: str, number: int) -> None:
        """Let a callback that waits come to its end."""
        if not self.world.waiting:
            return
        waiting = self.world.waiting.pop(number % len(self.world.waiting))
        if waiting.called:
            return
        if step == "answer":
            waiting.callback(None)
        else:
            waiting.errback(Failing())
        self.clock.advance(0)

    def cancel(self, number: int) -> None:
        """Give up waiting for what was asked."""
        if self.asked:
            self.asked[number % len(self.asked)].cancel()
            self.clock.advance(0)

    def end(self) -> None:
        """Let everything that is going on come to its end."""
        while self.world.waiting:
            self.answer("answer", 0)
        self.world.moods.clear()
        for process in self.processes:
            process.stop()
        self.clock.advance(0)


class ModelTests(SynchronousTestCase):
    """Whatever happens, in whatever order."""

    @SETTINGS
    @given(GRAPHS, st.lists(STEPS, max_size=25))
    def test_interleavings(
        self, graph: dict[str, list[Way]], steps: list[tuple[str, int]]
    ) -> None:
        """The history is what a sequential run makes, step by step, and everything agrees."""
        machines = Machines(graph)
        for step, number in steps:
            machines.do(step, number)
        machines.end()
        self.flushLoggedErrors()

        store = machines.store
        stored = machines.wait(store.chains.chain(machines.chain.id))
        rows = machines.wait(store.chains.history(machines.chain.id))
        made = [(row.transition, row.state) for row in rows]
        self.assertEqual(sequential(graph, stored.version), made)
        self.assertEqual(list(range(1, len(rows) + 1)), [row.version for row in rows])
        self.assertEqual(stored.version, len(rows))
        self.assertEqual(made[-1][1] if made else NEW, stored.state)
        events = machines.wait(store.events(limit=1000))
        keys = [f"chain/{stored.id}/{row.version}" for row in rows]
        self.assertEqual(sorted(keys), sorted(event.key for event in events))
        # Whatever was made had its callback called before.
        called = set(machines.world.called)
        self.assertLessEqual({(row.version - 1, row.transition) for row in rows}, called)
        self.assertTrue(all(asked.called for asked in machines.asked))

    @SETTINGS
    @given(GRAPHS)
    def test_goes_on(self, graph: dict[str, list[Way]]) -> None:
        """After the death of its executor, a chain gets as far as a sequential run."""
        machines = Machines(graph)
        machines.die(0)
        machines.clock.advance(60)
        process = machines.processes[0]
        expected = sequential(graph, 10)
        for _ in range(10):
            pump(
                machines.clock,
                process.execute_chain(machines.chain.id, callback=machines.world.callback),
                0.0,
            )
        rows = pump(machines.clock, process.history(machines.chain.id), 0.0)

        self.assertEqual(expected, [(row.transition, row.value) for row in rows])
