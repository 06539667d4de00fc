"""
Crashes at every point: whether anything is lost, or done twice, wherever a process dies.

A store has a *crash point* before and after every group of statements that it writes, and every
commit. `crash_everywhere` lets a process die at each of them in turn, starts the next one on the
same store, and has you look at what is left::

    class OrderTests(SynchronousTestCase):
        def test_crashes(self):
            def setup(dispatcher):
                dispatcher.on(kind="order")(send_mail)
                dispatcher.on("after", kind="order", options=EXACTLY_ONCE)(book)

            def act(dispatcher):
                return dispatcher.accept_event("order 1", key="order 1", kind="order")

            for crash in crash_everywhere(self.mktemp, ("kind",), setup, act):
                self.assertEqual(booked(crash.path), ["order 1"], crash.point)

Time is a `Clock`; nothing sleeps, and each life of a process takes some milliseconds.

On PostgreSQL give the URL of an empty schema instead of the path of a new file. There the threads
of a store come to their points in an order that may differ from life to life, so that in two runs
not quite the same ones are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.firing.answers import settle
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.stores import open_store
from twisted_dispatcher.testing.clocked import NeverSettled, result_of
from twisted_dispatcher.testing.stores.crashes import CrashPoint, ProcessDied
from twisted_dispatcher.testing.turns import CountedStore, TurnedReactor

# Some day in 2027, at which the first life begins.
BEGINNING = 1_800_000_000.0
# So long after a crash the next life begins: the lease of the one before has run out by then.
BETWEEN_LIVES = 61.0
# So many seconds of the clock a life may take to get everything settled.
LONGEST_LIFE = 7200.0
# So many seconds pass at a time.
STEP = 0.5


@attrs.frozen
class Crashed:
    """
    What is left after a crash, and after the process that followed it has settled everything.

    :ivar path: the file of the store, which nobody has open any more; or the URL that was given.
    :ivar number: how many crash points the process had reached, with that at which it died.
    :ivar point: the name of that; None for the life without a crash, which comes last.
    """

    path: str
    number: int
    point: str | None


class Death(CrashPoint):
    """
    A crash point from which nobody comes back.

    :ivar point: the name of the point at which the process died, if it did.
    """

    point: str | None = None

    def __call__(self, point: str) -> None:
        """Be told of a crash point; whoever has caught an earlier death dies again."""
        if self.point is not None:
            raise ProcessDied(self.point)
        try:
            super().__call__(point)
        except ProcessDied:
            self.point = point
            raise


class Life:
    """One life of a process: a dispatcher on a store, and the time that passes for it."""

    def __init__(
        self,
        path: str,
        born: float,
        keywords: Iterable[str],
        setup: Callable[[DurableDispatcher], object],
        dies_at: int | None = None,
        **options: Any,
    ) -> None:
        """
        :param path: the file of its store, or its URL.
        :param born: when it begins, in seconds since the epoch.
        :param dies_at: the number of the crash point at which it ends, from 1.
        """
        self.clock = TurnedReactor()
        self.clock.advance(born)
        self._end = born
        self._death = Death(dies_at)
        url = path if "://" in path else f"sqlite:///{path}"
        store = cast(Any, open_store(url, reactor=self.clock))
        if url.startswith("sqlite:"):
            # A crash of the process is no crash of the machine: what was written is there, without
            # waiting for the disk.
            store._ledger.connection.execute("PRAGMA synchronous = OFF")
        store.on_point = self._pass
        self._store = cast(Any, CountedStore(store))
        self.dispatcher = DurableDispatcher(
            cast(IStore, self._store), keywords, clock=self.clock, **options
        )
        setup(self.dispatcher)

    def live(
        self, act: Callable[[DurableDispatcher], Any], limit: float = LONGEST_LIFE
    ) -> str | None:
        """
        Start, do what there is to do, work until every event is settled, and stop.

        :param limit: seconds of the clock that it may take.
        :return: the name of the point at which it died, or None.
        :raises NeverSettled: when events are left over.
        """
        self._end = self.clock.seconds() + limit
        try:
            self._live(act)
        except (ProcessDied, Exception):
            # What is raised after its death was never raised.
            if self._death.point is None:
                raise
        finally:
            self._store.crash()
            self.clock.close()
        return self._death.point

    def _pass(self, point: str) -> None:
        try:
            self._death(point)
        except ProcessDied:
            # It may be waited for in another thread.
            self.clock.wake()
            raise

    def _live(self, act: Callable[[DurableDispatcher], Any]) -> None:
        self.dispatcher.start()
        self._wait(self.dispatcher.when_ready())
        answer = settle(act(self.dispatcher))
        if isinstance(answer, Deferred):
            self._wait(answer)
        elif isinstance(answer, Failure):
            answer.raiseException()
        while self._wait(self._store.counts())["open"]:
            if self.clock.seconds() > self._end:
                raise NeverSettled(f"events are left over that do not get on: {self._left()}")
            self._advance()
        self._wait(self.dispatcher.stop())

    def _left(self) -> Any:
        asking = self._store.deliveries(limit=10)
        self._turn()
        return result_of(asking)

    def _wait(self, deferred: Deferred[Any]) -> Any:
        self._turn()
        while (not deferred.called or deferred.paused) and self.clock.seconds() < self._end:
            self._advance()
        return result_of(deferred)

    def _advance(self) -> None:
        self.clock.advance(STEP)
        self._turn()

    def _turn(self) -> None:
        """Wait, while time stands still, until the store owes nobody an answer."""
        self.clock.turn_while(lambda: self._store.owed and self._death.point is None)
        if self._death.point is not None:
            raise ProcessDied(self._death.point)


def crash_everywhere(
    new_path: Callable[[], str],
    keywords: Iterable[str],
    setup: Callable[[DurableDispatcher], object],
    act: Callable[[DurableDispatcher], Any],
    *,
    then_at: Callable[[int], int | None] = lambda number: None,
    every: int = 1,
    **options: Any,
) -> Iterator[Crashed]:
    """
    Let a process die at each crash point in turn, and the next one settle everything.

    :param new_path: gives the path of a file that is not there, as ``mktemp`` of trial's test
        cases does; or the URL of an empty store.
    :param keywords: the dispatcher's allowed match-spec keywords.
    :param setup: registers the handlers, in every life.
    :param act: does in every life what the outside world does, accepts events above all; give
        them keys, since who got no answer asks again. It may give a Deferred or a coroutine.
    :param then_at: the number of the crash point at which the second life ends as well, given
        that of the first; a third one settles everything then.
    :param every: try only one of so many points, to be quicker.
    :param options: what else `DurableDispatcher` takes.
    :return: what is left, for every crash point; at last for a life in which there was none.
    """
    keywords = tuple(keywords)
    number = 1 - every
    alive = False
    while not alive:
        number += every
        path, born, points = new_path(), BEGINNING, list[str]()
        for dies_at in (number, then_at(number), None):
            life = Life(path, born, keywords, setup, dies_at, **options)
            point = life.live(act)
            if point is None:
                break
            points.append(point)
            born = life.clock.seconds() + BETWEEN_LIVES
        alive = not points
        yield Crashed(path, number, None if alive else points[0])
