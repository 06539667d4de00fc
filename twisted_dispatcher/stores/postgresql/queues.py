"""What waits to be done together, and for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
from twisted.logger import Logger

from twisted_dispatcher.stores.gathering import Answer
from twisted_dispatcher.stores.postgresql.office import Desk

# Of requests that wait together, at least so many are given to one thread: two groups that overlap
# are faster than one until the cost of a commit is more than that of what is in it.
SMALLEST_SHARE: Final = 50

_log = Logger()


@attrs.frozen(eq=False)
class Group:
    """Requests that are done together, and who waits for each."""

    queue: Queue
    requests: Sequence[Any]
    answers: Sequence[Answer]

    def __len__(self) -> int:
        """Give their number."""
        return len(self.requests)

    def answer(self, outcomes: Sequence[Any]) -> None:
        """Tell everybody what came of it."""
        for answer, outcome in zip(self.answers, outcomes):
            try:
                answer(outcome)
            except Exception:
                # The others are told all the same.
                _log.failure("What a store has answered was not taken well")

    def without(
        self, mark: object, outcomes: Sequence[Any]
    ) -> tuple[Group, Sequence[Any], Group | None]:
        """
        Leave out those with an outcome that is a mark.

        :return: the others, their outcomes, and a group of those that were left out, if any.
        """
        left = [place for place, outcome in enumerate(outcomes) if outcome is mark]
        if not left:
            return self, outcomes, None
        kept = [place for place, outcome in enumerate(outcomes) if outcome is not mark]
        return self._of(kept), [outcomes[place] for place in kept], self._of(left)

    def singles(self) -> list[Group]:
        """Give a group for each of them."""
        return [self._of([place]) for place in range(len(self))]

    def _of(self, places: Sequence[int]) -> Group:
        return Group(
            self.queue,
            [self.requests[place] for place in places],
            [self.answers[place] for place in places],
        )


class Queue:
    """What waits at one desk, and how many groups of it threads are doing."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.busy = 0
        self.requests: list[Any] = []
        self.answers: list[Answer] = []

    def withdraw(self, answer: Answer) -> None:
        """Leave out what was asked for with an answer, if it still waits."""
        if answer in self.answers:
            place = self.answers.index(answer)
            del self.answers[place], self.requests[place]

    def take(self, among: int) -> Group:
        """
        Take the next group.

        :param among: so many groups could be done at once.
        """
        size = max(SMALLEST_SHARE, -(-len(self.requests) // among))
        size = min(size, self.desk.largest)
        requests, self.requests = self.requests[:size], self.requests[size:]
        answers, self.answers = self.answers[:size], self.answers[size:]
        return Group(self, requests, answers)
