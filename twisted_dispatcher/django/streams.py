"""Streams of events: recorded as they are consumed, or consumed to be recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import attrs
from django.db import DatabaseError, connections
from twisted.python.failure import Failure

from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.containing import TransactionSpoilt, is_in_error
from twisted_dispatcher.django.outbox import Draft, Recorded, drafted, record_drafts
from twisted_dispatcher.django.problems import is_of_database, key_of, tell
from twisted_dispatcher.errors import InvalidSource, SourceBroke
from twisted_dispatcher.sources.reading import check_items
from twisted_dispatcher.sources.reports import SourceReport


@attrs.define
class Report(SourceReport):
    """
    What became of a stream of events: see `SourceReport`.

    Nobody waits for handlers here, so that none counts as handled, failed or unfinished.
    """

    def add(self, recorded: Recorded) -> None:
        """Count an event by what became of it; what is recorded later counts as recorded."""
        draft = recorded.draft
        if recorded.collision is not None:
            self.add_problem(draft.source, draft.new.key, Failure(recorded.collision))
        elif recorded.acceptance is None or recorded.acceptance.new:
            self.recorded += 1
        else:
            self.known += 1

    @staticmethod
    def _tell(source: str, key: str | None, failure: Failure) -> None:
        tell(source, key, failure.value)


class NewEvents(Iterator[Any]):
    """
    Gives those declarations of a stream that were not recorded before, as they were given.

    Each is recorded just before it is given, so that its handlers are called whether or not
    anybody goes on to consume. What is not consumed is neither made nor recorded.

    :ivar report: what became of the stream so far.
    :ivar recorder: what records it.
    """

    def __init__(self, events: Iterable[Any], using: str | None = None) -> None:
        """:raises InvalidSource: when it cannot be iterated over."""
        self.report = Report()
        self.recorder = Recorder(events, using, self.report)

    def __next__(self) -> Any:
        """
        Give the next declaration that is new.

        :raises SourceBroke: when the stream raises. What cannot be recorded is reported, and
            passed over.
        """
        while True:
            for each in self.recorder.record(1):
                if each.is_new or each.acceptance is None:
                    return each.draft.declaration
            if self.recorder.error is not None:
                raise self.recorder.error
            if self.recorder.is_over:
                raise StopIteration


def process_events(events: Iterable[Any], *, window: int = 1, using: str | None = None) -> Report:
    """
    Record what is new of a stream of events.

    What cannot be recorded, and that the stream raises, is logged and reported; the rest goes on.

    :param events: an iterable of declarations, also what `only_new_events` gives.
    :param window: so many events are made before they are recorded, by one statement and, where no
        transaction is open, in one of their own.
    :param using: the alias of the database in whose transaction they happen; by default that of
        the database that they live in.
    :return: what became of the events.
    :raises InvalidSource: when it cannot be iterated over.
    :raises django.db.DatabaseError: when the events cannot be stored; and what the stream, or a
        lazy value in it, raises of that kind within a transaction, which is spoilt by it.
    """
    if isinstance(events, NewEvents):
        recorder, report = events.recorder, events.report
    else:
        report = Report()
        recorder = Recorder(events, using, report)
    while not recorder.is_over:
        recorder.record(window)
    return report


class Recorder:
    """
    Records a stream, and reports what cannot be recorded.

    :ivar is_over: whether the stream is at its end.
    :ivar error: that it has raised, if it has.
    :ivar name: of the stream.
    :ivar using: the alias of the database in whose transaction the events happen, or None.
    """

    def __init__(self, events: Iterable[Any], using: str | None, report: Report) -> None:
        self.is_over = False
        self.error: SourceBroke | None = None
        self.name = str(getattr(events, "__qualname__", None) or type(events).__qualname__)
        self.using = using
        self._report = report
        check_items(events, self.name)
        try:
            self._events = iter(events)
        except TypeError as error:
            raise InvalidSource(
                f"{self.name} is nothing to iterate over: let a source yield events, or return a "
                "list of them"
            ) from error

    def record(self, window: int) -> list[Recorded]:
        """Record the next events, and give what became of those that declare something."""
        recorded = record_drafts(self.draw(window), self.using)
        for each in recorded:
            self._report.add(each)
        return recorded

    def draw(self, window: int) -> list[Draft]:
        """Give the next events, as they are to be recorded; whoever draws them records them."""
        return self._drafts(self._next(window))

    def _next(self, window: int) -> list[Any]:
        """Give what comes next; where the stream breaks, what it gave before."""
        found: list[Any] = []
        try:
            for each in islice(self._events, window):
                found.append(each)
        except Exception as error:
            if isinstance(error, DatabaseError) and self._is_in_transaction():
                raise
            self.error = SourceBroke(self.name, error)
            self.error.__cause__ = error
            self._report.add_problem(self.name, None, Failure(self.error))
        self.is_over = len(found) < window
        if self._is_in_transaction() and is_in_error(self._connection):
            raise TransactionSpoilt(self.name)
        return found

    @property
    def _connection(self) -> Any:
        return connections[self.using or conf().database]

    def _is_in_transaction(self) -> bool:
        return bool(self._connection.in_atomic_block)

    def _drafts(self, declarations: Iterable[Any]) -> list[Draft]:
        drafts = []
        for each in declarations:
            try:
                drafts.append(drafted(each, self.name))
            except Exception as error:
                if is_of_database(error) and self._is_in_transaction():
                    raise
                self._report.add_problem(self.name, key_of(each), Failure())
        return drafts
