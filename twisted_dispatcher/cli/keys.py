"""
The keys of a log's events, the same whenever the log is read.

A store knows an event by its key, so what was fed once is known when it is fed again. An event
that has a key of its own (a CloudEvent its ``source`` and ``id``, an event of XES its
``identity:id``) keeps it. Any other is known by where it stands and by what it says: the name of
the log, the event's number in it, and a hash of both the log's full name and the event. So a log
may grow at its end, and another log that has taken its place is not mistaken for it. Where
something was put in, or taken out, what comes after it is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from json import JSONEncoder
from pathlib import PurePath
from typing import Final

import attrs

from twisted_dispatcher.eventlogs import BadLine
from twisted_dispatcher.events import Event
from twisted_dispatcher.feeding import Item

# What a store takes, with room to spare; for a longer key stands its hash.
LONGEST_OWN_KEY: Final = 400
LONGEST_NAME: Final = 100
_DIGITS: Final = 9  # so that keys sort as their events stand, which indexes like
_HASHED: Final = 24

_to_json = JSONEncoder(default=str).encode


def keyed(items: Iterable[Item], log: str) -> Iterator[Item]:
    """
    Give the items of a log, each event with a key.

    :param log: the log's full name. Events of two logs of one name that say the same at the same
        place are one.
    """
    name = PurePath(log).name[:LONGEST_NAME]
    number = 0
    for item in items:
        if isinstance(item, Event):
            number += 1
            yield attrs.evolve(item, key=_own_key(item) or _made_key(item, name, number, log))
        else:
            number += isinstance(item, BadLine)
            yield item


def _own_key(event: Event) -> str | None:
    """Give the key that an event came with, if it has one."""
    key = "" if event.key is None else str(event.key)
    if len(key) > LONGEST_OWN_KEY:
        return f"sha256:{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return key or None


def _made_key(event: Event, name: str, number: int, log: str) -> str:
    said = _to_json([log, event.type, event.source, event.context])
    return f"{name}:{number:0{_DIGITS}} {sha256(said.encode()).hexdigest()[:_HASHED]}"
