"""
Group commit: what is asked for in one turn of the reactor is handed over together.

It is handed to the connections on the reactor, or to threads. While all of them are at work, what
is asked for gathers, and the next groups are larger. Everything is answered in the reactor's
thread, and the news of it are told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from twisted_dispatcher.stores.gathering import Answer, tell
from twisted_dispatcher.stores.postgresql.connections import StoreConnection
from twisted_dispatcher.stores.postgresql.hands import Hands
from twisted_dispatcher.stores.postgresql.office import Desk, Office
from twisted_dispatcher.stores.postgresql.post import Post
from twisted_dispatcher.stores.postgresql.queues import SMALLEST_SHARE, Group, Queue
from twisted_dispatcher.stores.postgresql.wires import Wires


class Crew:
    """A few threads and wires, who waits for which of them, and the answers."""

    def __init__(
        self,
        office: Office,
        threads: int,
        connect: Callable[[], StoreConnection],
        reactor: Any,
        closed: Callable[[], Exception],
        tell: Callable[[frozenset[str]], object],
    ) -> None:
        """
        :param office: does groups of requests, in any thread.
        :param connect: makes a connection that can be on the reactor.
        :param reactor: provides IReactorTime and IReactorFromThreads; None is the global one,
            taken when first needed.
        :param closed: makes the error of what is asked for after the end.
        :param tell: is given the news of every group that was answered.
        """
        self._office = office
        self._idle = threads
        self._hands = Hands(threads, "twisted_dispatcher")
        self._reactor = reactor
        self._closed_error = closed
        self._tell = tell
        self.wires = Wires(self.run, connect)
        self._post = Post(self.wires, office, self)
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
        """Have something done after this turn; cancelling it in this turn undoes that."""
        deferred: Deferred[Any] = Deferred(lambda _: self._queue(desk).withdraw(answer))
        answer = partial(tell, deferred)
        self.ask_for(answer, desk, request)
        return deferred

    def ask_for(self, answer: Answer, desk: Desk, request: Any) -> None:
        """
        Have something done after this turn.

        :param answer: is called with its outcome; at once where this is closed.
        """
        if self.closed:
            answer(Failure(self._closed_error()))
            return
        queue = self._queue(desk)
        queue.requests.append(request)
        queue.answers.append(answer)
        self._waiting[desk] = queue
        if self._call is None:
            self._call = self.reactor.callLater(0, self._end_of_turn)

    def _queue(self, desk: Desk) -> Queue:
        queue = self._queues.get(desk)
        if queue is None:
            queue = self._queues[desk] = Queue(desk)
        return queue

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
        self._hands.submit(call)
        return answer

    def _answer_call(self, answer: Deferred[Any], result: Any) -> None:
        self._busy -= 1
        if not self._is_abandoned:
            answer.callback(result)
        self._end_if_idle()

    def _end_of_turn(self) -> None:
        self._call = None
        self.begin()

    def _cancel_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def begin(self) -> None:
        """Hand over what waits, to who has nothing to do."""
        for desk, queue in list(self._waiting.items()):
            if desk.message is None or not self._send(queue):
                self._hand_over(queue)
            if not queue.requests:
                self._waiting.pop(desk, None)

    def _send(self, queue: Queue) -> bool:
        """Hand over to wires; tell whether there are any."""
        while queue.requests:
            wire = self.wires.take(self.reactor, len(queue.requests) > SMALLEST_SHARE)
            if wire is None:
                return len(self.wires) > 0
            self._post.send(queue.take(self.wires.free + 1), wire)
        return True

    def _hand_over(self, queue: Queue) -> None:
        """Hand over to threads."""
        while queue.requests and self._idle > 0 and queue.busy < queue.desk.at_once:
            self.hand_over(queue.take(min(self._idle, queue.desk.at_once - queue.busy)))

    def hand_over(self, group: Group) -> None:
        """Have a group done by a thread, when one has nothing to do."""
        if self._is_abandoned:
            return
        self._idle -= 1
        self._busy += 1
        group.queue.busy += 1
        self._hands.submit(self._work, group)

    def _work(self, group: Group) -> None:
        """Do a group, in a thread."""
        news: frozenset[str] = frozenset()
        try:
            outcomes, news = self._office.do(group.queue.desk, group.requests)
        except Exception:
            outcomes = [Failure()] * len(group)
        self.reactor.callFromThread(self._worked, group, outcomes, news)

    def _worked(self, group: Group, outcomes: Sequence[Any], news: frozenset[str]) -> None:
        self._idle += 1
        self._busy -= 1
        group.queue.busy -= 1
        self.answer(group, outcomes, news)

    def answer(self, group: Group, outcomes: Sequence[Any], news: frozenset[str]) -> None:
        """
        Tell everybody what came of a group, when the next ones are under way.

        Who is told mostly asks for something again, which is not left to the next turn.
        """
        if self._is_abandoned:
            return
        if self._waiting:
            self.begin()
        group.answer(outcomes)
        if self._call is not None:
            self._cancel_call()
            self.begin()
        if news:
            self._tell(news)
        self._end_if_idle()

    # Its end

    def close(self) -> Deferred[None]:
        """Do what was asked for, and nothing after that."""
        self.closed = True
        self._cancel_call()
        self.begin()
        if self._is_abandoned or self._is_idle():
            return succeed(None)
        end: Deferred[None] = Deferred()
        self._ends.append(end)
        return end

    def _is_idle(self) -> bool:
        return not (self._busy or self._post.under_way or self._waiting)

    def _end_if_idle(self) -> None:
        if self.closed and self._is_idle():
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
        """Let the threads end, and the wires."""
        self.wires.close()
        self._hands.shutdown()
