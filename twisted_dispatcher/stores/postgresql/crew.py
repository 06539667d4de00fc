"""
Group commit in threads: what is asked for in one turn of the reactor is handed over together.

While all threads are at work, what is asked for gathers, and the next groups are larger. What one
thread does is answered in the reactor's thread, and the news of it are told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from twisted_dispatcher.stores.postgresql.office import Desk, Office

# Of requests that wait together, at least so many are given to one thread: two groups that overlap
# are faster than one until the cost of a commit is more than that of what is in it.
SMALLEST_SHARE = 50


class Queue:
    """What waits at one desk, and how many groups of it are being done."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.busy = 0
        self.requests: list[Any] = []
        self.answers: list[Deferred[Any]] = []

    def add(self, request: Any, answer: Deferred[Any]) -> None:
        """Let one more wait."""
        self.requests.append(request)
        self.answers.append(answer)

    def take(self, threads: int) -> tuple[list[Any], list[Deferred[Any]]]:
        """
        Take the next group, without those whose callers have cancelled meanwhile.

        :param threads: so many of them have nothing to do.
        """
        free = min(threads, self.desk.at_once - self.busy)
        size = max(SMALLEST_SHARE, -(-len(self.requests) // free))
        size = min(size, self.desk.largest)
        requests, self.requests = self.requests[:size], self.requests[size:]
        answers, self.answers = self.answers[:size], self.answers[size:]
        wanted = [place for place, answer in enumerate(answers) if not answer.called]
        if len(wanted) < len(answers):
            requests = [requests[place] for place in wanted]
            answers = [answers[place] for place in wanted]
        return requests, answers


class Crew:
    """A few threads, who waits for which of them, and the answers."""

    def __init__(
        self,
        office: Office,
        threads: int,
        reactor: Any,
        closed: Callable[[], Exception],
        tell: Callable[[frozenset[str]], object],
    ) -> None:
        """
        :param office: does groups of requests, in any thread.
        :param reactor: provides IReactorTime and IReactorFromThreads; None is the global one,
            taken when first needed.
        :param closed: makes the error of what is asked for after the end.
        :param tell: is given the news of every group that was answered.
        """
        self._office = office
        self._idle = threads
        self._executor = ThreadPoolExecutor(threads, "twisted_dispatcher")
        self._reactor = reactor
        self._closed_error = closed
        self._tell = tell
        self._queues: dict[Desk, Queue] = {}
        self._waiting: dict[Desk, Queue] = {}
        self._call: IDelayedCall | None = None
        self._busy = 0
        self._ends: list[Deferred[None]] = []
        self.closed = False
        self._is_abandoned = False

    @property
    def reactor(self) -> Any:
        """Provides IReactorTime and IReactorFromThreads."""
        if self._reactor is None:
            from twisted.internet import reactor

            self._reactor = reactor
        return self._reactor

    def ask(self, desk: Desk, request: Any) -> Deferred[Any]:
        """Have something done after this turn."""
        if self.closed:
            return fail(self._closed_error())
        queue = self._queues.get(desk)
        if queue is None:
            queue = self._queues[desk] = Queue(desk)
        answer: Deferred[Any] = Deferred()
        queue.add(request, answer)
        self._waiting[desk] = queue
        if self._call is None:
            self._call = self.reactor.callLater(0, self._end_of_turn)
        return answer

    def run(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Call a function in a thread, beside what is asked for."""
        answer: Deferred[Any] = Deferred()

        def call() -> None:
            try:
                result: Any = function(*arguments)
            except Exception:
                result = Failure()
            self.reactor.callFromThread(self._answer_call, answer, result)

        self._busy += 1
        self._executor.submit(call)
        return answer

    def _answer_call(self, answer: Deferred[Any], result: Any) -> None:
        self._busy -= 1
        if not self._is_abandoned:
            answer.callback(result)
        self._end_if_idle()

    def _end_of_turn(self) -> None:
        self._call = None
        self._begin()

    def _cancel_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _begin(self) -> None:
        """Give to the threads that have nothing to do what waits."""
        for desk, queue in list(self._waiting.items()):
            while queue.requests and self._idle and queue.busy < desk.at_once:
                requests, answers = queue.take(self._idle)
                if requests:
                    self._idle -= 1
                    self._busy += 1
                    queue.busy += 1
                    self._executor.submit(self._work, queue, requests, answers)
            if not queue.requests:
                del self._waiting[desk]

    def _work(
        self, queue: Queue, requests: Sequence[Any], answers: Sequence[Deferred[Any]]
    ) -> None:
        """Do a group, in a thread."""
        news: frozenset[str] = frozenset()
        try:
            outcomes, news = self._office.do(queue.desk, requests)
        except Exception:
            outcomes = [Failure()] * len(requests)
        self.reactor.callFromThread(self._answer, queue, answers, outcomes, news)

    def _answer(
        self,
        queue: Queue,
        answers: Sequence[Deferred[Any]],
        outcomes: Sequence[Any],
        news: frozenset[str],
    ) -> None:
        self._idle += 1
        self._busy -= 1
        queue.busy -= 1
        if self._is_abandoned:
            return
        if self._waiting:
            self._begin()
        for answer, outcome in zip(answers, outcomes):
            if not answer.called:
                answer.callback(outcome)
        if news:
            self._tell(news)
        self._end_if_idle()

    # Its end

    def close(self) -> Deferred[None]:
        """Do what was asked for, and nothing after that."""
        self.closed = True
        self._cancel_call()
        self._begin()
        if self._is_abandoned or not (self._busy or self._waiting):
            return succeed(None)
        end: Deferred[None] = Deferred()
        self._ends.append(end)
        return end

    def _end_if_idle(self) -> None:
        if self.closed and not self._busy and not self._waiting:
            ends, self._ends = self._ends, []
            for end in ends:
                end.callback(None)

    def abandon(self) -> None:
        """Do nothing more, and answer nobody."""
        self.closed = self._is_abandoned = True
        self._cancel_call()
        self._waiting.clear()
        self.dismiss()

    def dismiss(self) -> None:
        """Let the threads end."""
        self._executor.shutdown(wait=False)
