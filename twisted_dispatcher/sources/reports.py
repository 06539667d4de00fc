"""What became of a stream of events: the counts, and the first of the problems."""

from __future__ import annotations

from typing import Final

import attrs
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_dispatcher.errors import InvalidSource, KeyCollision, SourceBroke

# So many problems are kept and logged one by one; the others are counted.
MOST_TOLD: Final = 100

_log = Logger()


@attrs.frozen
class Problem:
    """
    Something that was not recorded, and why.

    :ivar source: the name of the source.
    :ivar key: of the event, if it has one.
    """

    source: str
    key: str | None
    error: Exception


@attrs.define
class SourceReport:
    """
    What became of a stream of events. It is counted on while the stream is processed.

    :ivar recorded: how many events were new.
    :ivar known: how many had been recorded before.
    :ivar handled: how many of those that were waited for have been handled to the end, without
        a failure.
    :ivar failed: of how many a handler has failed after its last attempt; see the dead letters.
    :ivar unfinished: how many go on, and were not waited for to the end.
    :ivar refused: how many declared no event, or one that cannot be written down.
    :ivar collisions: how many had a key that an event of another group has.
    :ivar broken: how often a source has raised, or has given nothing to iterate over.
    :ivar problems: the first `MOST_TOLD` of what was refused, collided or broke.
    """

    recorded: int = 0
    known: int = 0
    handled: int = 0
    failed: int = 0
    unfinished: int = 0
    refused: int = 0
    collisions: int = 0
    broken: int = 0
    problems: list[Problem] = attrs.field(factory=list)

    @property
    def events(self) -> int:
        """How many events the sources gave."""
        return self.recorded + self.known + self.refused + self.collisions

    @property
    def is_clean(self) -> bool:
        """Whether everything was recorded, and no handler has failed."""
        return not (self.refused or self.collisions or self.broken or self.failed)

    def raise_for_problems(self) -> None:
        """
        Raise what was wrong with the first event that was not recorded, or source that broke.

        :raises KeyCollision, SourceBroke, InvalidDeclaration, NotEncodable: or others like it.
        """
        if self.problems:
            raise self.problems[0].error

    def add_problem(self, source: str, key: str | None, failure: Failure) -> None:
        """Count a problem, and log it unless there were many."""
        error = failure.value
        if isinstance(error, KeyCollision):
            self.collisions += 1
        elif isinstance(error, (SourceBroke, InvalidSource)):
            self.broken += 1
        else:
            self.refused += 1
        count = self.collisions + self.broken + self.refused
        if count <= MOST_TOLD and isinstance(error, Exception):
            self.problems.append(Problem(source, key, error))
            self._tell(source, key, failure)
        elif count == MOST_TOLD + 1:
            _log.error("There are more problems with sources; these are counted from now on")

    @staticmethod
    def _tell(source: str, key: str | None, failure: Failure) -> None:
        if isinstance(failure.value, (SourceBroke, InvalidSource)):
            _log.failure("{source} broke; the rest goes on", failure, source=source)
        else:
            _log.failure(
                "Event {key} from {source} is not recorded; the rest goes on",
                failure,
                source=source,
                key=key or "without a key",
            )


@attrs.define
class SweepReport(SourceReport):
    """
    What became of a sweep, beside what became of the events.

    :ivar objects: how many objects its sources were run on.
    :ivar sender: the sender whose objects are being gone through.
    :ivar seen: how many of these were gone through, also before the sweep was resumed.
    :ivar total: how many there are, where that is known.
    """

    objects: int = 0
    sender: str = ""
    seen: int = 0
    total: int | None = None
