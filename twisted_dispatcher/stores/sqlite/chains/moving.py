"""Storing transitions, with what belongs to them: the history, and the event of the new state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.python.failure import Failure

from twisted_dispatcher.chainrecords import Move, Moved
from twisted_dispatcher.records import Worker
from twisted_dispatcher.stores.sqlite.accepting import accept_all
from twisted_dispatcher.stores.sqlite.chains.rows import CHAIN, HISTORY, SIGNAL
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.tables import Insert
from twisted_dispatcher.stores.sqlite.transacting import do_within

# A transition, who runs what comes of its event, and when.
MoveRequest = tuple[Move, Worker, float]

LOST: Final = Moved(False)

_HELD: Final = f"""
    SELECT number FROM {CHAIN}
    WHERE id = ? AND version = ? AND fence = ? AND locked_until > 0"""
_MOVE: Final = f"""
    UPDATE {CHAIN} SET state = ?1, version = ?2, next_update = ?3, ended = ?4, locked_until = ?5,
        entered = ?6, tried = ?6, failures = 0, parked = 0, error = NULL, refusals = NULL,
        poked = CASE WHEN ?5 > 0 THEN poked ELSE 0 END,
        due = CASE WHEN disabled OR ?7 IS NULL THEN NULL WHEN ?5 > 0 THEN ?5 ELSE ?7 END
    WHERE number = ?8"""
_HISTORY: Final = Insert(
    HISTORY, "chain", "version", "previous", "state", "transition_name", "requested_by", "at"
)
_USE: Final = f"DELETE FROM {SIGNAL} WHERE chain = ? AND name = ?"


def move_all(ledger: Ledger, requests: Sequence[MoveRequest]) -> list[Moved]:
    """Store the transitions of some calls of `IChainStore.move`."""
    results = [LOST] * len(requests)
    history: list[Any] = []
    places = []
    for place, (move, _, now) in enumerate(requests):
        found = ledger.read(_HELD, (move.chain_id, move.version, move.fence))
        if found:
            places.append(place)
            history += _write(ledger, found[0][0], move, now)
    ledger.insert("insert history", _HISTORY, history)
    asked = [((requests[each][0].event,), *requests[each][1:]) for each in places]
    for place, (accepted,) in zip(places, accept_all(ledger, asked) if asked else ()):
        results[place] = Moved(True, accepted)
    return results


def _write(ledger: Ledger, number: int, move: Move, now: float) -> tuple[Any, ...]:
    """Write a transition to its chain; give its line of history."""
    version = move.version + 1
    ledger.write(
        "move chain",
        _MOVE,
        (
            *(move.state, version, move.next_update, move.ended, move.locked_until, now),
            *(move.due, number),
        ),
    )
    for name in move.signals:
        ledger.write("use signal", _USE, (number, name))
    by = move.requested_by
    return number, version, move.previous, move.state, move.transition, by, now


def transact(
    ledger: Ledger, move: Move, work: Callable[[Any], Any], worker: Worker, now: float
) -> tuple[Any, Moved] | Failure:
    """Do some work and store its transition, or leave nothing of it; see `IChainStore`."""
    if not ledger.read(_HELD, (move.chain_id, move.version, move.fence)):
        return None, LOST
    done = do_within(ledger, work, worker, now)
    if isinstance(done, Failure):
        return done
    value, claims = done
    (moved,) = move_all(ledger, [(move, worker, now)])
    return value, Moved(moved.held, moved.accepted, claims)
