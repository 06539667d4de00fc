"""
Queues for events that must be handled one after another: one lane for each value of a key.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """
    Lets one member of each lane go at a time; the others of the lane wait in order.

    A lane exists only while somebody is in it.
    """

    def __init__(self) -> None:
        self._lanes: dict[Hashable, deque[T]] = {}

    def enter(self, key: Hashable, member: T) -> bool:
        """Queue up, and tell whether it is the member's turn at once."""
        lane = self._lanes.setdefault(key, deque())
        lane.append(member)
        return len(lane) == 1

    def leave(self, key: Hashable, member: T) -> T | None:
        """Leave a lane, and give the member whose turn it is now, where that has changed."""
        lane = self._lanes[key]
        if lane[0] is not member:
            lane.remove(member)
            return None
        lane.popleft()
        if lane:
            return lane[0]
        del self._lanes[key]
        return None

    def first(self, key: Hashable) -> T:
        """Give the member of a lane whose turn it is."""
        return self._lanes[key][0]

    def behind(self, key: Hashable, member: T) -> Iterator[T]:
        """Give those who wait behind the member whose turn it is."""
        lane = self._lanes.get(key)
        if lane is not None and lane[0] is member:
            yield from list(lane)[1:]
