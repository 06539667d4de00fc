"""
Sends groups of requests by the connections on the reactor, each as one statement.

What a statement has not done is done by a thread. When the connection is lost on the way, the
server is asked first whether the statement happened, and what it has written.

Crash points: ``"before sending ..."`` and ``"after sending ..."`` the step of a message; between
them it was executed, committed and answered. See `stores.postgresql.ledger`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_dispatcher.stores.postgresql.connections import Mark
from twisted_dispatcher.stores.postgresql.messages import LEFT, Done, Message
from twisted_dispatcher.stores.postgresql.office import Office
from twisted_dispatcher.stores.postgresql.queues import Group
from twisted_dispatcher.stores.postgresql.wire import Lost, Refused, Rows, Wire
from twisted_dispatcher.stores.postgresql.wires import Wires

# The code of what has waited for a lock for too long.
_LOCKED: Final = b"55P03"


class Threads(Protocol):
    """Who does what is left."""

    def run(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Call a function in a thread."""

    def begin(self) -> None:
        """Hand over what waits, to who has nothing to do."""

    def hand_over(self, group: Group) -> None:
        """Have a group done by a thread."""

    def answer(self, group: Group, outcomes: Sequence[Any], news: frozenset[str]) -> None:
        """Tell everybody what came of a group."""

    def abandon(self) -> None:
        """Do nothing more."""


@attrs.frozen(eq=False)
class _Sent:
    """A group on its way."""

    group: Group
    wire: Wire
    message: Message
    mark: Mark


class Post:
    """
    Sends groups, one by each connection at a time.

    :ivar under_way: how many are not answered yet.
    """

    def __init__(self, wires: Wires, office: Office, threads: Threads) -> None:
        self._wires = wires
        self._office = office
        self._threads = threads
        self.under_way = 0

    def send(self, group: Group, wire: Wire) -> None:
        """Send a group."""
        kind = group.queue.desk.message
        assert kind is not None
        try:
            message = kind(group.requests)
        except Exception:
            # What is wrong with which of them is found out where they are done one by one.
            self._wires.give_back(wire)
            self._threads.hand_over(group)
            return
        self.under_way += 1
        sent = _Sent(group, wire, message, wire.next_mark())
        if self._passes(f"before sending {message.step}", sent):
            name, number = sent.mark
            parameters = [name.encode(), b"%d" % number, *message.parameters]
            wire.send(message.name, parameters, partial(self._answered, sent))

    def _passes(self, point: str, sent: _Sent) -> bool:
        """Tell whether a crash point was passed, and nothing happened there."""
        try:
            self._office.point(point)
        except Exception:
            sent.wire.fail()
            self._ask(sent)
            return False
        except BaseException:
            # The process has died.
            self._threads.abandon()
            return False
        return True

    def _answered(self, sent: _Sent, answer: Rows | Refused | Lost) -> None:
        if isinstance(answer, Lost):
            self._ask(sent)
            return
        if not self._passes(f"after sending {sent.message.step}", sent):
            return
        self._wires.give_back(sent.wire)
        if isinstance(answer, Refused) or not answer:
            self.under_way -= 1
            self._leave(sent.group, answer)
            self._threads.begin()
            return
        try:
            done = sent.message.read(answer)
        except Exception:
            done = Done([Failure()] * len(sent.group))
        self._end(sent, done)

    def _leave(self, group: Group, answer: Rows | Refused) -> None:
        """Leave a group to threads; where one of it waits for others, each by itself."""
        if isinstance(answer, Refused) and answer.sqlstate == _LOCKED:
            for each in group.singles():
                self._threads.hand_over(each)
        else:
            self._threads.hand_over(group)

    def _ask(self, sent: _Sent) -> None:
        """Have the server asked what became of a message whose connection is lost."""
        name, _ = sent.mark
        asking = self._threads.run(
            self._office.look_up, sent.mark, lambda cursor: sent.message.recall(cursor, name)
        )
        asking.addErrback(lambda failure: Done([failure] * len(sent.group)))
        asking.addCallback(partial(self._end, sent))
        self._threads.begin()

    def _end(self, sent: _Sent, done: Done | None) -> None:
        """Answer, and leave to threads what was not done: all of it, if that is None."""
        self.under_way -= 1
        if done is None:
            self._threads.hand_over(sent.group)
            return
        group, outcomes, left = sent.group.without(LEFT, done.outcomes)
        if left is not None:
            self._threads.hand_over(left)
        self._threads.answer(group, outcomes, done.news)
