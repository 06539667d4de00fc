"""
Recording what sources declare: accepting some events at once, and telling what was known of them.

Accepting is recording: once an event is stored, its handlers are called to its end, whoever
consumes the stream. What is asked of the store in one turn is committed together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from twisted_dispatcher.durable.departures import Recording
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.errors import KeyCollision, NotRunning, NotStorable
from twisted_dispatcher.events import Event
from twisted_dispatcher.records import Acceptance, StoredEvent
from twisted_dispatcher.results import DispatchResult
from twisted_dispatcher.sources.declarations import declared
from twisted_dispatcher.sources.reports import SourceReport


@attrs.frozen(eq=False)
class Offer:
    """A declaration that a source has given, and the source's name."""

    declaration: Any
    source: str


@attrs.frozen(eq=False)
class Recorded:
    """
    An event that is stored.

    :ivar result: fires when it has been dispatched, if it is new.
    :ivar settled: whether it has nothing left to do, as far as is known.
    """

    event_id: int
    new: bool
    settled: bool
    result: Deferred[DispatchResult] | None


@attrs.frozen(eq=False)
class _Attempt:
    """An event that is being accepted."""

    offer: Offer
    event: Event
    recording: Recording


class Recorder:
    """Records declarations, and reports those that cannot be."""

    def __init__(self, dispatcher: DurableDispatcher, report: SourceReport) -> None:
        self._dispatcher = dispatcher
        self._backstage = dispatcher.backstage
        self.report = report

    async def record(self, offers: Sequence[Offer]) -> list[Recorded | None]:
        """
        Record events; they are stored when this returns.

        :return: for each what became of it, or None where it was refused, which is reported.
        :raises NotRunning, StoreError: when the store, or the dispatcher, takes nothing; some may
            be stored all the same.
        """
        if not self._dispatcher.running:
            raise NotRunning
        attempts = [self._begin(offer) for offer in offers]
        begun = [attempt for attempt in attempts if attempt is not None]
        answers = await self._answers(begun)
        stored = await self._look_up(answers)
        told = iter(zip(begun, answers, strict=True))
        return [None if each is None else self._told(*next(told), stored) for each in attempts]

    def _begin(self, offer: Offer) -> _Attempt | None:
        """Have an event stored, unless it cannot be written down."""
        event = None
        try:
            event = declared(offer.declaration)
            details = event.details(self._dispatcher.allowed_keywords)
            details["group"] = event.type
            return _Attempt(offer, event, self._backstage.record(event, details))
        except Exception:
            key = event.key if event is not None else key_of(offer.declaration)
            self.report.add_problem(offer.source, key, Failure())
            return None

    async def _answers(self, begun: Sequence[_Attempt]) -> list[Acceptance | Failure]:
        waiting = [each.recording.recorded for each in begun]
        try:
            answers = await DeferredList(waiting, consumeErrors=True)
        except BaseException:
            # They may be stored all the same, and nobody waits for what becomes of them.
            for each in begun:
                each.recording.promise.addErrback(lambda _: None)
            raise
        found: list[Acceptance | Failure] = [answer for _, answer in answers]
        for answer in found:
            if isinstance(answer, Failure) and not answer.check(NotStorable):
                for each in begun:
                    each.recording.promise.addErrback(lambda _: None)
                answer.raiseException()
        return found

    async def _look_up(self, answers: Iterable[Acceptance | Failure]) -> Mapping[int, StoredEvent]:
        """Read what is known of the events that were recorded before."""
        ids = {each.event_id for each in answers if isinstance(each, Acceptance) and not each.new}
        if not ids:
            return {}
        found = await self._backstage.store.events(ids=ids, limit=len(ids))
        return {each.id: each for each in found}

    def _told(
        self,
        attempt: _Attempt,
        answer: Acceptance | Failure,
        stored: Mapping[int, StoredEvent],
    ) -> Recorded | None:
        """Count an event by what the store has answered."""
        key = attempt.event.key
        if isinstance(answer, Failure):
            self.report.add_problem(attempt.offer.source, key, answer)
            return None
        if answer.new:
            self.report.recorded += 1
            return Recorded(answer.event_id, True, False, attempt.recording.promise)
        known = stored.get(answer.event_id)
        collision = known and self._collision(attempt.event, known)
        if collision:
            self.report.add_problem(attempt.offer.source, key, Failure(collision))
            return None
        self.report.known += 1
        settled = known is None or known.settled is not None
        return Recorded(answer.event_id, False, settled, None)

    def _collision(self, event: Event, known: StoredEvent) -> KeyCollision | None:
        """Tell whether the event that has the key is one of another group."""
        group = self._backstage.codec.decode(known.details).get("group")
        if not isinstance(group, str) or group == event.type:
            return None
        return KeyCollision(known.key, event.type, group)


def key_of(declaration: Any) -> str | None:
    """Give the key of what may be no declaration at all, for a report."""
    try:
        key = declaration["key"]
    except Exception:
        return None
    return key if isinstance(key, str) else None
