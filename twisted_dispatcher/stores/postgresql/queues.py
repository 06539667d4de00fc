"""What waits to be done together, and for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred

from twisted_dispatcher.stores.postgresql.office import Desk

# Of requests that wait together, at least so many are given to one thread: two groups that overlap
# are faster than one until the cost of a commit is more than that of what is in it.
SMALLEST_SHARE: Final = 50


@attrs.frozen(eq=False)
class Group:
    """Requests that are done together, and who waits for each."""

    queue: Queue
    requests: Sequence[Any]
    answers: Sequence[Deferred[Any]]

    def __len__(self) -> int:
        """Give their number."""
        return len(self.requests)

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
        return self.of(kept), [outcomes[place] for place in kept], self.of(left)

    def of(self, places: Sequence[int]) -> Group:
        """Give a group of some of them."""
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
        self.answers: list[Deferred[Any]] = []

    def add(self, request: Any, answer: Deferred[Any]) -> None:
        """Let one more wait."""
        self.requests.append(request)
        self.answers.append(answer)

    def take(self, among: int) -> Group:
        """
        Take the next group, without those whose callers have cancelled meanwhile.

        :param among: so many groups could be done at once.
        """
        size = max(SMALLEST_SHARE, -(-len(self.requests) // among))
        size = min(size, self.desk.largest)
        requests, self.requests = self.requests[:size], self.requests[size:]
        answers, self.answers = self.answers[:size], self.answers[size:]
        wanted = [place for place, answer in enumerate(answers) if not answer.called]
        group = Group(self, requests, answers)
        return group if len(wanted) == len(answers) else group.of(wanted)
