"""
Threads that use the ORM, and linger with their connections when they have nothing to do.

A thread that has done something goes on with what waits. When nothing does, it keeps its
connections for a while: a stream of single handlers need not connect anew for each. Then it closes
them and ends; one that may keep a connection longer, because of ``CONN_MAX_AGE``, stays with it.

What is to be done is given to the thread that has lingered the shortest. So those that are not
needed are the ones that end, and few connections are open. Nor are more at work than are worth
while for what they do (`pace`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from threading import Lock
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.django.hands import Hand
from twisted_dispatcher.django.pace import PACE, Pace
from twisted_dispatcher.django.tidying import close_all, close_old, doubt, mend

# For so many seconds a thread that has nothing to do keeps its connections.
LINGER: Final = 1.0
# While others are at work, what is not urgent is told of together that is done in so many seconds.
GATHER: Final = 0.005
# Those that it has kept for so many seconds are looked at before they are used again.
FRESH: Final = 0.1
# So many seconds it may take at most to close them in the end.
CLOSING: Final = 5.0

_log = Logger()

Work = Callable[[], Any]
# What is to be done, what fires with its outcome, and whether that is wanted at once.
_Call = tuple[Work, "Deferred[Any]", bool]


class Crew:
    """Some threads: as many as are worth while, and no more than are allowed."""

    def __init__(self, reactor: Any, most: int, clock: Any) -> None:
        """:param clock: tells how long a thread has lingered."""
        self._reactor = reactor
        self._clock = clock
        self._timer: Any = None
        # Whether it is looked soon how many threads are worth while.
        self._watches = False
        # Each fires when a thread that was told to close its connections has done so.
        self._closing: set[Deferred[None]] = set()
        # All below is shared with the threads.
        self._lock = Lock()
        self._pace = Pace(most)
        self._waiting: deque[_Call] = deque()
        self._hands: set[Hand] = set()
        # Who has lingered the longest comes first.
        self._idle: list[Hand] = []
        self._lingers = True
        self._done: list[tuple[Deferred[Any], Any]] = []

    # In the reactor's thread

    def call(self, work: Work, is_urgent: bool) -> Deferred[Any]:
        """
        Have something done; what is cancelled before its turn is not.

        :param is_urgent: whether somebody goes on with the outcome. Else it may be told of in a
            moment, with others: that costs less.
        """
        answer: Deferred[Any] = Deferred()
        with self._lock:
            self._lingers = True
            self._waiting.append((work, answer, is_urgent))
        self._engage()
        return answer

    def _engage(self) -> None:
        """Have as much of what waits done as is worth while, and look again soon for the rest."""
        self._give_all()
        # Nobody else adds to what waits.
        if self._waiting and not self._watches:
            self._watches = True
            self._reactor.callLater(PACE, self._look_at_pace)
            with self._lock:
                self._pace.measure(self._hands, self._idle)
            # It is known now who is at work for long.
            self._give_all()

    def _give_all(self) -> None:
        while self._give():
            pass

    def _give(self) -> bool:
        """Give a call to a thread that has nothing to do, or a new one; tell whether it could."""
        with self._lock:
            call = self._next(self._count_busy())
            if call is None:
                return False
            hand = self._idle.pop() if self._idle else None
            if hand is not None:
                hand.busy_since = time.perf_counter()
        if hand is None:
            return self._grow(call)
        in_doubt = self._clock.seconds() - hand.idle_since >= FRESH
        hand.tell(partial(self._work, hand, call, in_doubt))
        return True

    def _grow(self, call: _Call) -> bool:
        """Have a new thread do something; tell whether there is one."""
        hand = Hand()
        hand.busy_since = time.perf_counter()
        hand.tell(partial(self._work, hand, call))
        with self._lock:
            self._hands.add(hand)
        try:
            hand.start()
        except Exception:
            with self._lock:
                self._hands.remove(hand)
                others = bool(self._hands)
                if others:
                    self._waiting.appendleft(call)
            if not others:
                call[1].errback(Failure())
            return False
        return True

    def _look_at_pace(self) -> None:
        """If something waits still, have as many threads at work as are worth while."""
        self._watches = False
        if self._waiting:
            with self._lock:
                self._pace.go_by(*self._pace.measure(self._hands, self._idle))
            self._engage()

    async def let_go(self) -> None:
        """
        Have those close all connections that have nothing to do, and wait until they have.

        Those that are at work do so when they are done, unless something is called after this.
        """
        with self._lock:
            self._lingers = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._idle or self._closing:
            self._close(tuple(self._idle), close_all)
            closed = DeferredList(tuple(self._closing))
            closed.addTimeout(CLOSING, self._clock, _not_closed)
            await closed

    def _tell_soon(self) -> None:
        """Tell in a moment what is done, unless it was told meanwhile."""
        if self._done:
            self._reactor.callLater(GATHER, self._tell)

    def _tell(self) -> None:
        """Tell everybody what came of what is done."""
        if self._timer is None and self._idle:
            self._timer = self._clock.callLater(LINGER, self._look)
        with self._lock:
            done, self._done = self._done, []
        for answer, value in done:
            _answer(answer, value)

    def _look(self) -> None:
        """Have those close their connections that have lingered long enough."""
        self._timer = None
        begun = self._clock.seconds() - LINGER
        lingering = [each for each in tuple(self._idle) if not each.stays]
        self._close([each for each in lingering if each.idle_since <= begun], close_old)
        since = [each.idle_since for each in lingering if each.idle_since > begun]
        if since:
            self._timer = self._clock.callLater(min(since) - begun, self._look)

    def _close(self, hands: Iterable[Hand], close: Callable[[], bool]) -> None:
        """Have threads close connections, those that are idle still."""
        for hand in hands:
            with self._lock:
                is_idle = hand in self._idle
                if is_idle:
                    self._idle.remove(hand)
            if is_idle:
                closed: Deferred[None] = Deferred()
                self._closing.add(closed)
                closed.addBoth(self._closed, closed)
                hand.tell(partial(self._part, hand, close, closed))

    def _closed(self, result: object, closed: Deferred[None]) -> None:
        self._closing.discard(closed)

    # In the thread; each gives whether that goes on

    def _work(self, hand: Hand, call: _Call | None, in_doubt: bool = False) -> bool:
        """Do something, and what waits then; then linger."""
        lingers = True
        while call is not None:
            work, answer, is_urgent = call
            hand.busy_since = time.perf_counter()
            value = None if answer.called else _outcome(work, in_doubt)
            in_doubt = False
            with self._lock:
                call = self._next(self._count_busy() - 1)
                lingers = call is None and self._lingers
                if lingers:
                    hand.idle_since, hand.stays = self._clock.seconds(), False
                    self._idle.append(hand)
                self._done.append((answer, value))
                is_last = call is None and self._count_busy() == (not lingers)
                is_first = len(self._done) == 1
            if is_last or is_urgent:
                self._reactor.callFromThread(self._tell)
            elif is_first:
                self._reactor.callFromThread(self._tell_soon)
        return lingers or self._part(hand, close_all)

    def _part(
        self, hand: Hand, close: Callable[[], bool], closed: Deferred[None] | None = None
    ) -> bool:
        """Close connections, and end, unless some are left or something has come meanwhile."""
        holds = close()
        with self._lock:
            call = self._next(self._count_busy() - 1)
            stays = call is None and holds
            if stays:
                hand.stays = True
                self._idle.insert(0, hand)
            elif call is None:
                self._hands.remove(hand)
        if closed is not None:
            self._reactor.callFromThread(closed.callback, None)
        if call is not None:
            hand.tell(partial(self._work, hand, call))
        return stays or call is not None

    # In any thread, with the lock

    def _next(self, busy: int) -> _Call | None:
        """
        Give what waits and is wanted still, if there is anything.

        :param busy: beside so many threads that are at work it would be done.
        """
        while self._waiting and self._pace.has_room(busy):
            call = self._waiting.popleft()
            if not call[1].called:
                return call
        return None

    def _count_busy(self) -> int:
        return len(self._hands) - len(self._idle)


def _outcome(work: Work, in_doubt: bool) -> Any:
    """Give what something gives, or the failure of it or of the connections."""
    try:
        if in_doubt:
            doubt()
        try:
            return work()
        finally:
            mend()
    except BaseException:
        return Failure()


def _answer(answer: Deferred[Any], value: Any) -> None:
    """Fire with a value or a failure; when nobody waits any more, log a failure."""
    if not answer.called:
        answer.callback(value)
    elif isinstance(value, Failure):
        _log.failure("A handler failed in its thread after nobody waited for it any more", value)


def _not_closed(result: object, seconds: float) -> None:
    _log.warn(
        "Threads of handlers have not closed their connections in {seconds} s", seconds=seconds
    )
