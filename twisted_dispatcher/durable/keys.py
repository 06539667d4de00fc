"""What names an event once and for all, and when it is due: as callers give it, or made."""

from __future__ import annotations

import itertools
import math
import os
from datetime import datetime
from typing import Any

from twisted_dispatcher.errors import InvalidKey, InvalidTime
from twisted_dispatcher.events import Event

LONGEST_KEY = 500


class KeyMaker:
    """
    Makes keys that nothing else has.

    A key begins with the time, in milliseconds, so that keys that are made one after another stand
    one after another in an index (version 7 of the UUIDs of RFC 9562 does so too). Its end is
    random once for each maker and process, and counts on from there.
    """

    def __init__(self) -> None:
        self._process = 0
        self._prefix = ""
        self._count = itertools.count()

    def make(self, seconds: float) -> str:
        """Give a new key, at this time since the epoch."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._prefix = os.urandom(9).hex()
        return f"{int(seconds * 1000) & 0xFFFFFFFFFFFF:012x}-{self._prefix}-{next(self._count):x}"

    def key_of(self, event: Any, key: str | None, seconds: float) -> str:
        """
        Give the key of an event: the one that is given, its own, or a new one.

        :raises InvalidKey: when it cannot be one.
        """
        if key is None and isinstance(event, Event):
            key = event.key
        if key is None:
            return self.make(seconds)
        if not isinstance(key, str) or not key or len(key) > LONGEST_KEY:
            raise InvalidKey(key, LONGEST_KEY)
        return key


def due_at(at: datetime | float | None, now: float) -> float:
    """
    Give a time in seconds since the epoch; None is now.

    :raises InvalidTime: when it is neither an aware datetime nor a finite number.
    """
    if at is None:
        return now
    if isinstance(at, datetime) and at.tzinfo is not None:
        return at.timestamp()
    if isinstance(at, (int, float)) and not isinstance(at, bool) and math.isfinite(at):
        return float(at)
    raise InvalidTime(at)
