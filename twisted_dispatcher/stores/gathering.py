"""
Group commit: what is asked for in one turn of the reactor is done together at its end.

A commit costs the same for one request as for a thousand, so a store that gathers them is as fast
as its callers are many (DeWitt et al., "Implementation techniques for main memory database
systems", SIGMOD 1984). What makes it safe is isolation: when a group fails it is halved, until the
request that is to blame stands alone.

Who has been answered mostly asks for something again at once: a delivery that is accepted is run
and settled. That is done in the same turn, and saves waiting for the next one; what follows from
it in its turn waits, so that a turn does two groups at most and the reactor gets its due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.errors import CorruptStore, StoreFull, StoreUnavailable

# Does what is asked for in one way: given the requests of all who ask, it gives all results.
Work = Callable[[Any, Sequence[Any]], Sequence[Any]]
Requests = Mapping[Work, Sequence[Any]]
# For each request its result, or the `Failure` of it.
Outcomes = Mapping[Work, Sequence[Any]]
# Is told the outcome of a request.
Answer = Callable[[Any], object]

# So many requests at most are done in one transaction, so that the others do not wait for long.
LARGEST_GROUP = 1000
# What could not be done is tried again after these seconds, twice as long each time.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.1

_log = Logger()


@attrs.frozen
class TryAgain:
    """That a group was not begun: the world is busy, and will be so for a moment."""

    reason: StoreUnavailable


class Group:
    """
    Requests that are done together, and who waits for them.

    :ivar deadline: when to give up; None while it has not been tried.
    """

    __slots__ = ("answers", "deadline", "requests", "size")

    def __init__(self) -> None:
        self.requests: dict[Work, list[Any]] = defaultdict(list)
        self.answers: dict[Work, list[Answer]] = defaultdict(list)
        self.size = 0
        self.deadline: float | None = None

    def drop(self, withdrawn: set[Answer]) -> None:
        """Leave out what nobody wants any more."""
        for work, answers in self.answers.items():
            wanted = [place for place, answer in enumerate(answers) if answer not in withdrawn]
            self.requests[work] = [self.requests[work][place] for place in wanted]
            self.answers[work] = [answers[place] for place in wanted]
        self.requests = {work: own for work, own in self.requests.items() if own}

    def answer(self, outcomes: Outcomes) -> None:
        """Tell everybody what came of it."""
        for work, own in outcomes.items():
            for answer, outcome in zip(self.answers[work], own):
                try:
                    answer(outcome)
                except Exception:
                    # The others are told all the same.
                    _log.failure("What a store has answered was not taken well")

    def fail(self, reason: Exception) -> None:
        """Tell everybody the same failure."""
        failed = [Failure(reason)] * self.size
        self.answer(dict.fromkeys(self.requests, failed))


class Gathering:
    """Gathers requests until the end of the reactor's turn, has them done, and answers."""

    def __init__(
        self,
        do: Callable[[Requests], Outcomes | TryAgain],
        reactor: Any,
        patience: float,
        closed: Callable[[], Exception],
        after: Callable[[], object],
    ) -> None:
        """
        :param do: does a group of requests.
        :param reactor: provides IReactorTime; None is the global one, taken when first needed.
        :param patience: for so many seconds, a group that cannot be begun is tried again.
        :param closed: makes the error of what is asked for after the end.
        :param after: is called when a group has been answered.
        """
        self._do = do
        self._reactor = reactor
        self._patience = patience
        self._closed_error = closed
        self._after = after
        self._groups: list[Group] = []
        self._last: Group | None = None
        self._withdrawn: set[Answer] = set()
        self._is_answering = False
        self._call: IDelayedCall | None = None
        self._pause = SHORTEST_PAUSE
        self.closed = False

    @property
    def reactor(self) -> Any:
        """Provides IReactorTime."""
        if self._reactor is None:
            from twisted.internet import reactor

            self._reactor = reactor
        return self._reactor

    def ask(self, work: Work, request: Any) -> Deferred[Any]:
        """Have something done at the end of this turn; cancelling it in this turn undoes that."""
        deferred: Deferred[Any] = Deferred(lambda _: self.withdraw(answer))
        answer = partial(tell, deferred)
        self.ask_for(answer, work, request)
        return deferred

    def ask_for(self, answer: Answer, work: Work, request: Any) -> None:
        """
        Have something done at the end of this turn.

        :param answer: is called with its outcome; at once where this is closed.
        """
        group = self._last
        if group is None or group.size >= LARGEST_GROUP:
            if self.closed:
                answer(Failure(self._closed_error()))
                return
            group = self._begin_group()
        group.size += 1
        group.requests[work].append(request)
        group.answers[work].append(answer)

    def _begin_group(self) -> Group:
        group = self._last = Group()
        self._groups.append(group)
        if self._call is None and not self._is_answering:
            self._call_later(0)
        return group

    def withdraw(self, answer: Answer) -> None:
        """Do not do what was asked for with this answer, if that was in this turn."""
        if self._groups:
            self._withdrawn.add(answer)

    def close(self) -> Deferred[None]:
        """Do what was asked for, and nothing after that. What cannot be begun now fails."""
        self.closed = True
        self._last = None
        while self._groups:
            self._do_next()
        self._cancel_call()
        return succeed(None)

    def abandon(self) -> None:
        """Do nothing more, and answer nobody."""
        self.closed = True
        self._last = None
        self._groups.clear()
        self._cancel_call()

    def _end_of_turn(self) -> None:
        self._cancel_call()
        try:
            if self._do_next() and self._groups:
                self._do_next()
        finally:
            if self._groups and self._call is None:
                self._call_later(0)

    def _do_next(self) -> bool:
        """Do a group and answer it; tell whether that was possible."""
        group = self._groups.pop(0)
        if group is self._last:
            self._last = None
        if self._withdrawn:
            for each in (group, *self._groups):
                each.drop(self._withdrawn)
            self._withdrawn.clear()
        outcomes = self._try(group)
        if isinstance(outcomes, TryAgain) and self._is_patient(group):
            self._groups.insert(0, group)
            self._call_later(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return False
        self._pause = SHORTEST_PAUSE
        self._is_answering = True
        try:
            if isinstance(outcomes, TryAgain):
                group.fail(outcomes.reason)
            else:
                group.answer(outcomes)
            self._after()
        finally:
            self._is_answering = False
        return True

    def _try(self, group: Group) -> Outcomes | TryAgain:
        try:
            return self._do(group.requests) if group.requests else {}
        except Exception:
            return {work: [Failure()] * len(own) for work, own in group.requests.items()}
        except BaseException:
            # The process is about to end, or a test pretends so.
            self.abandon()
            raise

    def _is_patient(self, group: Group) -> bool:
        now: float = self.reactor.seconds()
        if group.deadline is None:
            group.deadline = now + self._patience
        return now < group.deadline and not self.closed

    def _call_later(self, delay: float) -> None:
        if not self.closed:
            self._call = self.reactor.callLater(delay, self._end_of_turn)

    def _cancel_call(self) -> None:
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()


def tell(deferred: Deferred[Any], outcome: Any) -> None:
    """Answer who waits with a Deferred."""
    # Somebody who was told a moment ago may have cancelled this.
    if not deferred.called:
        deferred.callback(outcome)


def perform(place: Any, requests: Requests) -> Outcomes:
    """Do requests in one place, a transaction say, and give their results."""
    return {work: work(place, own) for work, own in requests.items()}


def isolate(requests: Requests, run: Callable[[Requests], Outcomes]) -> Outcomes:
    """
    Give the outcomes of requests that `run` does in one transaction, all or none.

    Where that fails, the halves are run by themselves; a request that fails alone has the
    `Failure` as its outcome. When the store itself is away there is nothing to be gained by that,
    and all fail.
    """
    count = sum(map(len, requests.values()))
    try:
        return run(requests)
    except Exception as error:
        if count <= 1 or _is_the_world(error):
            return {work: [Failure()] * len(own) for work, own in requests.items()}
    first, second = (isolate(half, run) for half in _halves(requests, count // 2))
    return {work: [*first.get(work, ()), *second.get(work, ())] for work in requests}


def _halves(requests: Requests, room: int) -> tuple[Requests, Requests]:
    first: dict[Work, Sequence[Any]] = {}
    second: dict[Work, Sequence[Any]] = {}
    for work, own in requests.items():
        first[work], second[work] = own[:room], own[room:]
        room -= len(first[work])
    return (
        {work: own for work, own in first.items() if own},
        {work: own for work, own in second.items() if own},
    )


def _is_the_world(error: Exception) -> bool:
    # Where there is no room for all there may be room for some.
    away = isinstance(error, (StoreUnavailable, CorruptStore))
    return away and not isinstance(error, StoreFull)
