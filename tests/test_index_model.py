"""Matching against a matcher that simply looks at everything, under random changes."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PATIENT
from tests.strategies import KEYWORDS, PHASES, Wish, details, fits, spec_values, specs
from twisted_dispatcher import EventDispatcher
from twisted_dispatcher.matching import MISSING, Entry, MatchIndex

SETTINGS = settings(PATIENT, max_examples=150, stateful_step_count=40)

phases = st.sampled_from(PHASES)


def now(deferred: Deferred[Any]) -> Any:
    """Give the result of a Deferred that has fired."""
    results: list[Any] = []
    deferred.addCallback(results.append)
    assert results, "it has not fired"
    return results[0]


class Registered:
    """A handler that knows its place and its spec."""

    def __init__(self, calls: list[Registered], phase: str, spec: Mapping[str, Wish]) -> None:
        self.calls = calls
        self.phase = phase
        self.spec = spec

    def __call__(self, event: Any) -> None:
        """Note the call."""
        self.calls.append(self)

    def __repr__(self) -> str:
        return f"<{self.phase} {self.spec}>"


class DispatcherMachine(RuleBasedStateMachine):
    """A dispatcher whose handlers come and go, beside a list of the same."""

    ids = Bundle("ids")
    weak_ids = Bundle("weak_ids")

    def __init__(self) -> None:
        super().__init__()
        self.dispatcher = EventDispatcher(KEYWORDS)
        self.dispatcher.start()
        self.calls: list[Registered] = []
        # In order of registration.
        self.model: dict[int, Registered] = {}

    def make(self, phase: str, spec: Mapping[str, Wish]) -> Registered:
        """Make a handler."""
        return Registered(self.calls, phase, spec)

    @rule(target=ids, phase=phases, spec=specs)
    def add(self, phase: str, spec: Mapping[str, Wish]) -> int:
        """Add a handler, held strongly."""
        handler = self.make(phase, spec)
        adding = self.dispatcher.add_event_handler(handler, phase, False, **spec_values(spec))
        handler_id: int = now(adding)
        assert handler_id not in self.model
        self.model[handler_id] = handler
        return handler_id

    @rule(target=weak_ids, phase=phases, spec=specs)
    def add_weakly(self, phase: str, spec: Mapping[str, Wish]) -> int:
        """Add a handler, held weakly."""
        handler = self.make(phase, spec)
        handler_id: int = now(
            self.dispatcher.add_event_handler(handler, phase, **spec_values(spec))
        )
        assert handler_id not in self.model
        self.model[handler_id] = handler
        return handler_id

    @rule(handler_id=st.one_of(consumes(ids), consumes(weak_ids)))
    def remove(self, handler_id: int) -> None:
        """Remove a handler."""
        now(self.dispatcher.remove_event_handler(handler_id))
        del self.model[handler_id]

    @rule(handler_id=consumes(weak_ids))
    def let_go(self, handler_id: int) -> None:
        """Let go of a handler that is held weakly."""
        self.calls.clear()
        del self.model[handler_id]

    @rule(
        target=ids,
        old=st.lists(consumes(ids), max_size=3),
        new=st.lists(st.tuples(phases, specs), max_size=3),
    )
    def replace(self, old: list[int], new: list[tuple[str, Mapping[str, Wish]]]) -> Any:
        """Replace some handlers by others."""
        handlers = [self.make(phase, spec) for phase, spec in new]
        registrations = [
            ((handler, handler.phase, False), spec_values(handler.spec)) for handler in handlers
        ]
        ids = now(self.dispatcher.replace_event_handlers(old, registrations))
        for handler_id in old:
            del self.model[handler_id]
        self.model.update(zip(ids, handlers))
        return multiple(*ids)

    @rule(given=details)
    def fire(self, given: Mapping[str, Any]) -> None:
        """Fire an event, twice, so that what is remembered of the first time shows."""
        expected = self.expected(given)
        for _ in range(2):
            self.calls.clear()
            result = now(self.dispatcher.fire_event("event", **given))

            assert self.calls == [self.model[handler_id] for handler_id in expected]
            assert [one.handler_id for one in result.outcomes] == expected

    @rule(given=details)
    def ask_why(self, given: Mapping[str, Any]) -> None:
        """Ask who would run."""
        running = [one.handler_id for one in self.dispatcher.why(**given) if one.runs]

        assert running == self.expected(given)

    def expected(self, given: Mapping[str, Any]) -> list[int]:
        """Give the ids of the handlers that are to be called, in order."""
        return [
            handler_id
            for phase in PHASES
            for handler_id, handler in self.model.items()
            if handler.phase == phase and fits(handler.spec, given)
        ]

    @invariant()
    def describes_all(self) -> None:
        """What is described is what is registered."""
        assert {one.id for one in self.dispatcher.describe()} == set(self.model)


class Spec(Entry):
    """An entry of an index, with the spec that it was made of."""

    __slots__ = ("told",)

    def __init__(self, entry_id: int, told: Mapping[str, Wish]) -> None:
        self.id = entry_id
        self.told = told
        self.set_spec(spec_values(told))


def broken(entry: Spec, error: Exception) -> Spec:
    """Complain: no predicate here raises."""
    raise error


class IndexMachine(RuleBasedStateMachine):
    """An index beside a list of the same entries."""

    entries = Bundle("entries")

    def __init__(self) -> None:
        super().__init__()
        self.index: MatchIndex[Spec] = MatchIndex(KEYWORDS, lambda entry: entry.id, broken)
        self.model: list[Spec] = []
        self.made = 0

    @rule(target=entries, spec=specs)
    def add(self, spec: Mapping[str, Wish]) -> Spec:
        """Add an entry."""
        self.made += 1
        entry = Spec(self.made, spec)
        self.index.add(entry)
        self.model.append(entry)
        return entry

    @rule(entry=consumes(entries))
    def remove(self, entry: Spec) -> None:
        """Remove an entry."""
        self.index.remove(entry)
        self.model.remove(entry)

    @rule(given=details)
    def find(self, given: Mapping[str, Any]) -> None:
        """Search."""
        values = tuple(given.get(keyword, MISSING) for keyword in KEYWORDS)
        for _ in range(2):
            found, _ = self.index.find(values)

            assert list(found) == [entry for entry in self.model if fits(entry.told, given)]


class IndexModelTests(SynchronousTestCase):
    """The machines at work."""

    def test_dispatcher(self) -> None:
        """A dispatcher calls exactly whom a brute-force matcher would, whatever has changed."""
        gc.collect()
        run_state_machine_as_test(DispatcherMachine, settings=SETTINGS)

    def test_index(self) -> None:
        """An index finds exactly what a brute-force matcher finds, whatever has changed."""
        run_state_machine_as_test(IndexMachine, settings=SETTINGS)

    @settings(SETTINGS, max_examples=60)
    @given(st.lists(specs, max_size=60), st.lists(details, max_size=20))
    def test_many_at_once(
        self, many: list[Mapping[str, Wish]], fired: list[Mapping[str, Any]]
    ) -> None:
        """Among many handlers exactly those are called whose spec fits."""
        calls: list[int] = []
        dispatcher = EventDispatcher(KEYWORDS)
        dispatcher.start()
        for number, spec in enumerate(many):
            dispatcher.on(**spec_values(spec))(lambda event, number=number: calls.append(number))
        for given_details in fired:
            calls.clear()
            now(dispatcher.fire_event("event", **given_details))

            self.assertEqual(
                calls, [number for number, spec in enumerate(many) if fits(spec, given_details)]
            )
