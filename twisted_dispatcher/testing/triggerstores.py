"""
The contract of `ITriggerStore` as tests, which any store can be held against.

::

    class MyTriggersTests(TriggerStoreContract, TestCase):
        def make_store(self):
            return MyStore(...)

The store is an `IStore` whose attribute ``triggers`` is what is tested. The sessions of these
tests are no sessions of triggers: a store must not look into what it keeps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults

from twisted_dispatcher.errors import UnknownSession
from twisted_dispatcher.records import NewEvent
from twisted_dispatcher.testing.stores.scene import NOW, WORKER, Scene, new_event
from twisted_dispatcher.triggerrecords import (
    ACTIVE,
    OPEN,
    WAITING,
    InstanceRow,
    SessionChange,
    SessionForm,
    SessionRow,
    SessionStep,
    SessionSummary,
    Waiting,
)
from twisted_dispatcher.triggerstore import ITriggerStore


@attrs.frozen
class Notes:
    """A session: what was noted, in order, and the instances that were loaded or put."""

    config: str
    notes: tuple[str, ...] = ()
    instances: tuple[InstanceRow, ...] = ()


def _read(row: SessionRow) -> Notes:
    return Notes(row.config, tuple(json.loads(row.state)))


def _same(row: InstanceRow) -> InstanceRow:
    return row


def _join(session: Notes, rows: Mapping[str, InstanceRow]) -> Notes:
    return attrs.evolve(session, instances=(*session.instances, *rows.values()))


def _changes(before: Notes | None, after: Notes) -> SessionChange:
    known = set() if before is None else set(before.instances)
    config = after.config if before is None or before.config != after.config else None
    return SessionChange(
        config, json.dumps(after.notes), tuple(row for row in after.instances if row not in known)
    )


FORM = SessionForm(_read, _same, _join, _changes)


def instance(number: int, live: int | None, body: str = "{}") -> InstanceRow:
    """Make an instance of the task ``t``."""
    return InstanceRow(f"t#{number}", "t", number, f"status {live}", live, body)


class Refused(Exception):
    """What a step of these tests refuses with."""


class TriggerStoreContract(Scene):
    """All that every store of sessions must do; `scene.Scene` has what a subclass overrides."""

    @property
    def triggers(self) -> ITriggerStore:
        """What is tested."""
        return self.store.triggers  # type: ignore[no-any-return, attr-defined]

    def step(
        self,
        uid: str,
        take: Callable[[Any], Any],
        *events: NewEvent,
        names: tuple[str, ...] = (),
        waiting: Callable[[Any], Collection[Waiting]] = lambda session: (("t", ""),),
        once: str | None = None,
        triggers: ITriggerStore | None = None,
    ) -> Deferred[Any]:
        """
        Take a step that gives a session; the answer is the session that it was given.

        It needs what waits of the task ``t`` and has no mark.
        """
        key = None if once is None else lambda session: once

        def taken(session: Any) -> tuple[Any, Sequence[NewEvent], Any]:
            return take(session), events, session

        step = SessionStep(uid, names, taken, FORM, True, waiting, key)
        return (triggers or self.triggers).change(step, WORKER, NOW)

    def note(self, uid: str, text: str, *events: NewEvent, **options: Any) -> Deferred[Any]:
        """Take a step that notes something."""

        def take(session: Notes | None) -> Notes:
            session = session or Notes("config")
            return attrs.evolve(session, notes=(*session.notes, text))

        return self.step(uid, take, *events, **options)

    def put(self, uid: str, *rows: InstanceRow) -> Deferred[Any]:
        """Take a step that puts instances, and loads those that are named so."""

        def take(session: Notes | None) -> Notes:
            session = session or Notes("config")
            names = {row.name for row in rows}
            kept = tuple(row for row in session.instances if row.name not in names)
            return attrs.evolve(session, instances=(*kept, *rows))

        return self.step(uid, take, names=tuple(row.name for row in rows))

    async def noted(self, uid: str) -> tuple[str, ...]:
        """Give what was noted in a session."""
        row, _ = await self.triggers.session(uid)
        return tuple(json.loads(row.state))

    async def test_makes(self) -> None:
        """A session is made by a step, which is told that there was none."""
        before, accepted = await self.note("s", "1")

        self.assertIsNone(before)
        self.assertEqual(list(accepted), [])
        row, instances = await self.triggers.session("s")
        self.assertEqual((row.uid, row.config, instances), ("s", "config", []))
        self.assertEqual(await self.noted("s"), ("1",))

    async def test_folds(self) -> None:
        """Steps that are asked for together are taken in order, each on the one before."""
        await gatherResults([self.note("s", str(number)) for number in range(20)])

        self.assertEqual(await self.noted("s"), tuple(map(str, range(20))))

    async def test_sessions_apart(self) -> None:
        """Steps of other sessions are of no concern."""
        await gatherResults([self.note(uid, uid) for uid in ("b", "a", "b", "c")])

        found = [await self.noted(uid) for uid in "abc"]
        self.assertEqual(found, [("a",), ("b", "b"), ("c",)])

    async def test_refused(self) -> None:
        """A step that raises stores nothing, and harms none that are taken with it."""

        def refuse(session: Any) -> Any:
            raise Refused

        before = self.note("s", "1")
        refusals = [self.step("s", refuse, new_event("k", "a")), self.step("new", refuse)]
        after = self.note("s", "2", new_event("l", "a"))

        for refusal in refusals:
            await self.failure_of(refusal, Refused)
        await before
        await after
        self.assertEqual(await self.noted("s"), ("1", "2"))
        await self.failure_of(self.triggers.session("new"), UnknownSession)
        self.assertEqual(len(await self.store.events()), 1)

    async def test_refused_makes_nothing(self) -> None:
        """A session that a step has refused to make can be made afterwards."""

        def refuse(session: Any) -> Any:
            raise Refused

        await self.failure_of(self.step("s", refuse), Refused)
        before, _ = await self.note("s", "1")

        self.assertIsNone(before)

    async def test_none_stores_nothing(self) -> None:
        """A step that gives no session leaves all as it was."""
        await self.note("s", "1")

        before, _ = await self.step("s", lambda session: None)

        self.assertEqual(before.notes, ("1",))
        self.assertEqual(await self.noted("s"), ("1",))

    async def test_accepts(self) -> None:
        """Events are accepted with the step, and are the caller's own to run."""
        (_, (one, two)), (_, (three,)) = await gatherResults(
            [
                self.note("s", "1", new_event("k", "a"), new_event("l", "b")),
                self.note("s", "2", new_event("m", "c")),
            ]
        )

        self.assertEqual([each.claims[0].handler for each in (one, two, three)], ["a", "b", "c"])
        self.assertEqual([each.acceptance.key for each in (one, two, three)], ["k", "l", "m"])

    async def test_known_event(self) -> None:
        """An event whose key is known is not accepted again; the step counts all the same."""
        await self.note("s", "1", new_event("k", "a"))

        _, (again,) = await self.note("s", "2", new_event("k", "a"))

        self.assertFalse(again.acceptance.new)
        self.assertEqual(await self.noted("s"), ("1", "2"))

    async def test_loads_what_waits(self) -> None:
        """A step is given the instances that wait, and those that it names."""
        rows = [instance(0, None), instance(1, WAITING), instance(2, ACTIVE), instance(3, OPEN)]
        await self.put("s", *rows)

        before, _ = await self.step("s", lambda session: None, names=("t#0", "t#1", "t#9"))

        self.assertEqual({row.name for row in before.instances}, {"t#0", "t#1"})
        self.assertEqual(set(before.instances), set(rows[:2]))

    async def test_loads_what_is_touched(self) -> None:
        """What waits of other tasks, or with other marks, is not loaded."""
        here, there = (InstanceRow(f"u#{n}", "u", n, "w", WAITING, "{}", f"m{n}") for n in (0, 1))
        await self.put("s", instance(0, WAITING), here, there)

        for wanted, expected in (
            ((("u", "m0"), ("v", "m1"), ("t", "m0")), (here,)),
            ((("u", "m1"), ("u", "")), (there,)),
            ((), ()),
        ):
            before, _ = await self.step("s", lambda session: None, waiting=lambda _: wanted)  # noqa: B023
            self.assertEqual(before.instances, expected)

    async def test_marks_anew(self) -> None:
        """An instance that is put with another mark is found by that one."""
        await self.put("s", InstanceRow("u#0", "u", 0, "w", WAITING, "{}", "m0"))
        now = InstanceRow("u#0", "u", 0, "w", WAITING, "{}", "m1")
        await self.put("s", now)

        both = (("u", "m0"), ("u", "m1"))
        before, _ = await self.step("s", lambda session: None, waiting=lambda _: both[:1])
        self.assertEqual(before.instances, ())
        before, _ = await self.step("s", lambda session: None, waiting=lambda _: both)
        self.assertEqual(before.instances, (now,))

    async def test_loads_what_is_touched_meanwhile(self) -> None:
        """A step that needs more, because of the one before, has that; all that was done stays."""
        other = InstanceRow("u#0", "u", 0, "waits", WAITING, "{}")
        await self.put("s", instance(0, WAITING), other)
        ended = instance(0, None, '{"ended": true}')

        def _noted(session: Notes) -> Collection[Waiting]:
            return [(task, "") for task in session.notes]

        def end(session: Notes) -> Notes:
            return attrs.evolve(session, notes=("u",), instances=(ended,))

        _, (before, _) = await gatherResults(
            [
                self.step("s", end),
                self.step("s", lambda session: session, waiting=_noted),
            ]
        )

        self.assertEqual(set(before.instances), {ended, other})
        _, found = await self.triggers.session("s")
        self.assertEqual(found, [ended, other])

    async def test_once(self) -> None:
        """A step is taken once for its key, whoever asks again, and whenever."""
        other = (await self.second_store()).triggers  # type: ignore[attr-defined]
        await self.note("s", "0")

        def ask(key: str, triggers: ITriggerStore | None = None) -> Deferred[Any]:
            return self.note("s", key, new_event(key, "a"), once=key, triggers=triggers)

        together = await gatherResults([ask("k"), ask("k"), ask("l")])
        later = await ask("k")
        elsewhere = await ask("l", other)

        answers = [answer and answer.notes for answer, _ in (*together, later, elsewhere)]
        self.assertEqual(answers, [("0",), None, ("0", "k"), None, None])
        self.assertEqual(await self.noted("s"), ("0", "k", "l"))

    async def test_once_in_a_new_session(self) -> None:
        """A step that makes its session is taken once, too."""
        ask = partial(self.note, "s", "k", new_event("k", "a"), once="k")

        await gatherResults([ask(), ask()])
        await ask()

        self.assertEqual(await self.noted("s"), ("k",))

    async def test_once_if_it_is_taken(self) -> None:
        """A step that was refused is taken when it is asked for again."""

        def refuse(session: Any) -> Any:
            raise Refused

        event = new_event("k", "a")
        await self.note("s", "0")
        await self.failure_of(self.step("s", refuse, event, once="k"), Refused)

        await self.note("s", "1", event, once="k")

        self.assertEqual(await self.noted("s"), ("0", "1"))

    async def test_replaces_instances(self) -> None:
        """An instance that is put again replaces what it was."""
        await self.put("s", instance(0, WAITING))

        await self.put("s", instance(0, None, '{"a": "\\u0000"}'))

        _, rows = await self.triggers.session("s")
        self.assertEqual(rows, [instance(0, None, '{"a": "\\u0000"}')])
        before, _ = await self.step("s", lambda session: None)
        self.assertEqual(before.instances, ())

    async def test_instances_in_order(self) -> None:
        """The instances of a session are given by their task and number."""
        await self.put("s", *[instance(number, None) for number in (10, 2, 1)])

        _, rows = await self.triggers.session("s")

        self.assertEqual([row.number for row in rows], [1, 2, 10])

    async def test_only_live_ones(self) -> None:
        """The resolved instances can be left out."""
        await self.put("s", instance(0, None), instance(1, OPEN))

        row, rows = await self.triggers.session("s", live=True)
        self.assertEqual([each.name for each in rows], ["t#1"])
        await self.put("s", instance(1, None))
        row, rows = await self.triggers.session("s", live=True)
        self.assertEqual((row.uid, rows), ("s", []))

    async def test_active(self) -> None:
        """It counts what goes on."""
        self.assertEqual(await self.triggers.active("s"), 0)
        await self.put("s", instance(0, ACTIVE), instance(1, ACTIVE), instance(2, WAITING))

        self.assertEqual(await self.triggers.active("s"), 2)

    async def test_lists(self) -> None:
        """Sessions are listed by uid, with what is open in them."""
        for uid in ("b:1/x", "a", "b:1", "b:2", "b%"):
            await self.put(uid, instance(0, WAITING), instance(1, OPEN), instance(2, None))

        listed = await self.triggers.sessions()
        self.assertEqual([each.uid for each in listed], ["a", "b%", "b:1", "b:1/x", "b:2"])
        self.assertEqual(listed[0], SessionSummary("a", NOW, 1, 0, 1))
        below = await self.triggers.sessions("b:1")
        self.assertEqual([each.uid for each in below], ["b:1", "b:1/x"])
        page = await self.triggers.sessions("b", after="b%", limit=2)
        self.assertEqual([each.uid for each in page], ["b:1", "b:1/x"])

    async def test_forgets(self) -> None:
        """A session can be deleted with all that is its own, and made anew."""
        await self.put("s", instance(0, WAITING))
        await self.put("other", instance(0, WAITING))

        self.assertTrue(await self.triggers.forget("s"))
        self.assertFalse(await self.triggers.forget("s"))

        await self.failure_of(self.triggers.session("s"), UnknownSession)
        before, _ = await self.note("s", "new")
        self.assertIsNone(before)
        self.assertEqual((await self.triggers.session("s"))[1], [])
        self.assertEqual(len((await self.triggers.session("other"))[1]), 1)

    async def test_forgets_idle_ones(self) -> None:
        """A session can be deleted only if nothing has happened to it lately."""
        await self.put("old", instance(0, WAITING))
        await self.put("busy", instance(0, ACTIVE))

        forgotten = [
            await self.triggers.forget(uid, before)
            for uid, before in (("old", NOW), ("old", NOW + 1), ("busy", NOW + 1), ("no", NOW + 1))
        ]

        self.assertEqual(forgotten, [False, True, False, False])
        self.assertEqual([each.uid for each in await self.triggers.sessions()], ["busy"])

    async def test_two_processes(self) -> None:
        """Steps that two processes take at once are all taken, each on what was there."""
        other = (await self.second_store()).triggers  # type: ignore[attr-defined]
        asked = [
            self.note(uid, f"{uid} {number}", triggers=triggers)
            for number in range(10)
            for uid in ("s", "r", "q")
            for triggers in (self.triggers, other)
        ]
        await gatherResults(asked)

        for uid in ("s", "r", "q"):
            expected = sorted(f"{uid} {number}" for number in range(10) for _ in range(2))
            self.assertEqual(sorted(await self.noted(uid)), expected)
