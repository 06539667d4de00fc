"""
What is done in one statement, which is a transaction of its own: sent, answered, and durable.

A message is tried once. What it does not do, whatever the reason is, a thread does: see
`stores.postgresql.office`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, Protocol, TypeAlias

import attrs
from psycopg import Cursor

from twisted_dispatcher.stores.postgresql.marks import MARK

# By which is read what a message has written.
Reader: TypeAlias = Cursor[Any]

# What others write about a message in its place: that a thread is to do it.
LEFT: Final = object()


def marked(condition: str = "", looking: str = "") -> str:
    """
    Give what every message begins with; without its mark it does nothing.

    :param condition: a WHERE clause, of when there is something to do.
    :param looking: queries before it, of which the condition knows, each with a comma behind it.
    """
    return f"WITH {looking} marked AS ({MARK.format('$1', '$2', condition)} RETURNING 1)"


@attrs.frozen
class Done:
    """
    What a message came to.

    :ivar outcomes: for each request its outcome, or `LEFT`.
    :ivar news: what others may care for.
    """

    outcomes: Sequence[Any]
    news: frozenset[str] = frozenset()


class Message(Protocol):
    """
    Some requests of one kind, as one statement.

    :cvar name: by which it is prepared.
    :cvar step: how its crash points are called.
    :cvar sql: the statement; the first two parameters are the mark of the transaction.
    :ivar parameters: the others.
    """

    name: ClassVar[bytes]
    step: ClassVar[str]
    sql: ClassVar[str]
    parameters: Sequence[bytes]

    def __init__(self, requests: Sequence[Any]) -> None:
        """:raises Exception: when a thread should say what is wrong with the requests."""

    def read(self, found: Sequence[Sequence[bytes | None]]) -> Done:
        """Tell what came of it, by its answer."""

    def recall(self, cursor: Reader, connection: str) -> Done:
        """Tell what came of it, by what it has written under the mark of a connection."""


def text_array(texts: Iterable[str]) -> bytes:
    """
    Write texts as a parameter that is an array.

    :raises ValueError: when one has a null character, or cannot be encoded.
    """
    quoted = (each.replace("\\", "\\\\").replace('"', '\\"') for each in texts)
    written = ",".join(f'"{each}"' for each in quoted)
    if "\0" in written:
        raise ValueError("a null character")
    return f"{{{written}}}".encode()


def numbers_in(array: bytes | None) -> list[int]:
    """Read an array of numbers."""
    return [int(each) for each in array[1:-1].split(b",")] if array and len(array) > 2 else []
