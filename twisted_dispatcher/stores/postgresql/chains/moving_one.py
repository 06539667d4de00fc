"""
Storing transitions whose events are planned and in no lane, as one statement.

It does what `moving` does in several ones. What was taken over is left to a thread, which tells
so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from twisted_dispatcher.chainrecords import Move, Moved
from twisted_dispatcher.records import Accepted
from twisted_dispatcher.stores.postgresql import accepting_one
from twisted_dispatcher.stores.postgresql.accepting_one import AcceptMessage
from twisted_dispatcher.stores.postgresql.chains.moving import (
    COLUMNS,
    HELD,
    MoveRequest,
    row_of,
    storing,
)
from twisted_dispatcher.stores.postgresql.messages import LEFT, Done, Reader, marked

# An event is stored with each transition, or nothing is: of one whose key is known already, a
# number is divided by zero, and a thread does all of it.
_MOVE: Final = f"""
    {marked()}, kept AS MATERIALIZED (
        SELECT c.number, given.* FROM marked, json_to_recordset($6::json) AS given (
            {accepting_one.COLUMNS}, {COLUMNS})
        {HELD}
    ), {storing("kept")}, {accepting_one.storing("kept AS new")}
    WHERE 1 / CASE WHEN (SELECT count(*) FROM stored) = (SELECT count(*) FROM kept)
        THEN 1 ELSE 0 END = 1"""


class MoveMessage:
    """Some transitions."""

    name: ClassVar[bytes] = b"move"
    step: ClassVar[str] = "move"
    sql: ClassVar[str] = _MOVE

    def __init__(self, requests: Sequence[MoveRequest]) -> None:
        self._accept = AcceptMessage(
            [(move.event, worker, now) for move, worker, now in requests],
            [row_of(move, now) for move, _, now in requests],
        )
        self.parameters: Sequence[bytes] = self._accept.parameters

    @staticmethod
    def suits(move: Move) -> bool:
        """Tell whether a transition is of the kind that it is for."""
        return AcceptMessage.suits(move.event)

    def read(self, found: Sequence[Sequence[bytes | None]]) -> Done:
        return _moved(self._accept.read(found))

    def recall(self, cursor: Reader, connection: str) -> Done:
        return _moved(self._accept.recall(cursor, connection))


def _moved(done: Done) -> Done:
    """Tell what came of transitions, by what came of their events."""
    return Done([_outcome(each) for each in done.outcomes], done.news)


def _outcome(accepted: Any) -> Any:
    if isinstance(accepted, Accepted) and accepted.acceptance.new:
        return Moved(True, accepted)
    return LEFT
