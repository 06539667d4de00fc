"""The rules of chains, which know no store and no clock."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PATIENT
from twisted_dispatcher.chainrecords import StoredChain
from twisted_dispatcher.chains.chain import resources_of
from twisted_dispatcher.chains.resources import pairs_of
from twisted_dispatcher.chains.rules import (
    FIRST_RETRY,
    MOST_LAPS,
    Laps,
    Wait,
    after_failure,
    due_after_move,
    due_after_refusal,
    judge,
    obstacle,
)
from twisted_dispatcher.errors import ChainDisabled, ChainLocked, ChainNotScheduled

SETTINGS = settings(PATIENT, max_examples=60)
TIMES = st.floats(0, 4e9)
SOMETIME = st.none() | TIMES
NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def a_chain(**values: object) -> StoredChain:
    """Make a chain."""
    given: dict[str, object] = dict.fromkeys(
        ("next_update", "due", "error", "refusals", "tried"), None
    )
    given.update(id="c", chain_type="t", state="new", version=1, pairs=(), definition="d")
    given.update(disabled=False, ended=False, locked_until=0.0, fence=0, failures=0, parked=False)
    given.update(created=0.0, entered=0.0)
    return StoredChain(**{**given, **values})  # type: ignore[arg-type]


class RulesTests(SynchronousTestCase):
    """What a chain does next."""

    def test_order_of_checks(self) -> None:
        """A lock comes first, then being disabled, then the schedule (C51)."""
        chain = a_chain(locked_until=9.0, disabled=True, next_update=9.0)
        self.assertIsInstance(obstacle(chain, 1.0), ChainLocked)
        self.assertIsInstance(
            obstacle(a_chain(disabled=True, next_update=9.0), 1.0), ChainDisabled
        )
        self.assertIsInstance(obstacle(a_chain(next_update=9.0), 1.0), ChainNotScheduled)
        self.assertIsNone(obstacle(a_chain(next_update=9.0), 9.0))

    @SETTINGS
    @given(TIMES, TIMES, SOMETIME, st.booleans(), st.integers(0, 3))
    def test_free(
        self, now: float, until: float, update: float | None, disabled: bool, version: int
    ) -> None:
        """A chain may be locked if, and only if, nothing stands against executing it."""
        chain = a_chain(locked_until=until, next_update=update, disabled=disabled, version=version)

        self.assertEqual(obstacle(chain, now) is None, chain.is_free(now))

    @SETTINGS
    @given(SOMETIME, SOMETIME, st.sets(NAMES), st.sets(NAMES), TIMES)
    def test_waits(
        self,
        not_before: float | None,
        give_up: float | None,
        wanted: set[str],
        arrived: set[str],
        now: float,
    ) -> None:
        """A wait is over, or was given up, or has a reason; and what is looked for lies ahead."""
        verdict = judge(Wait(not_before, give_up, tuple(sorted(wanted))), arrived, now)
        is_late = give_up is not None and give_up <= now
        is_early = not_before is not None and not_before > now

        self.assertEqual(is_late, verdict.gives_up)
        self.assertEqual(not is_late and not is_early and wanted <= arrived, verdict.is_over)
        self.assertEqual(not verdict.is_over, verdict.reason is not None)
        self.assertTrue(verdict.look is None or verdict.look > now)
        if is_early and not is_late:
            self.assertIsNotNone(verdict.look)

    @SETTINGS
    @given(st.booleans(), SOMETIME, TIMES)
    def test_after_move(self, is_end: bool, update: float | None, now: float) -> None:
        """After a transition a chain is due at once, or at its time, or at its end never."""
        due = due_after_move(is_end, update, now)

        self.assertEqual(is_end, due is None)
        self.assertTrue(due is None or due in (now, update))
        self.assertTrue(due is None or due >= now)

    @SETTINGS
    @given(st.lists(TIMES), SOMETIME, TIMES, st.floats(1, 1e6))
    def test_after_refusal(
        self, ahead: list[float], update: float | None, now: float, every: float
    ) -> None:
        """After a refusal it is looked at in time, but not before it may be executed."""
        looks = [now + each for each in ahead]
        due = due_after_refusal(False, looks, update, now, every)
        assert due is not None
        if update is not None and update > now:
            self.assertEqual(update, due)
        else:
            self.assertTrue(now <= due <= now + every)
        self.assertIsNone(due_after_refusal(True, looks, update, now, every))

    @SETTINGS
    @given(st.integers(0, 10_000), st.none() | st.integers(1, 100), TIMES, st.floats(1, 1e6))
    def test_after_failure(
        self, failures: int, most: int | None, now: float, every: float
    ) -> None:
        """After a failure it is tried again, later each time, or parked for good."""
        setback = after_failure(failures, most, now, every)

        self.assertEqual(failures + 1, setback.failures)
        self.assertEqual(most is not None and failures + 1 >= most, setback.parked)
        self.assertEqual(setback.parked, setback.due is None)
        if setback.due is not None:
            self.assertTrue(now + min(every, FIRST_RETRY) - 1 <= setback.due <= now + every + 1)

    def test_laps(self) -> None:
        """Entering a state again and again is noticed, with the round that was made."""
        laps = Laps()
        laps.enter("new")
        noticed = [laps.enter(state) for _ in range(MOST_LAPS + 1) for state in "abc"]

        self.assertEqual(MOST_LAPS * 3, noticed.index(True))
        self.assertEqual(("c", "a", "b", "c"), laps.circle())


class ResourcesTests(SynchronousTestCase):
    """What a chain is about."""

    @SETTINGS
    @given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20), st.randoms())
    def test_order(self, pairs: list[tuple[str, str]], chance: object) -> None:
        """The order of pairs, and giving one twice, makes no difference."""
        shuffled = [*pairs, pairs[0]]
        chance.shuffle(shuffled)  # type: ignore[attr-defined]

        self.assertEqual(pairs_of(pairs), pairs_of(shuffled))

    @SETTINGS
    @given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=20))
    def test_all_there(self, pairs: list[tuple[str, str]]) -> None:
        """Every pair is among the resources of the chain."""
        resources = resources_of(pairs_of(pairs))
        for kind, value in pairs:
            found = resources[kind]
            self.assertIn(value, found if isinstance(found, tuple) else (found,))
