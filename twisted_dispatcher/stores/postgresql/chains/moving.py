"""Storing transitions, with what belongs to them: the history, and the event of the new state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted_dispatcher.chainrecords import Move, Moved
from twisted_dispatcher.records import Worker
from twisted_dispatcher.stores.postgresql.accepting import accept_all
from twisted_dispatcher.stores.postgresql.chains.rows import CHAIN, HISTORY, SIGNAL
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import rows
from twisted_dispatcher.stores.postgresql.transacting import WorkFailed, do_within

# A transition, who runs what comes of its event, and when.
MoveRequest = tuple[Move, Worker, float]

LOST: Final = Moved(False)

# What a parameter has of each transition.
COLUMNS: Final = """
    id text, version bigint, fence bigint, previous text, new_state text, transition_name text,
    requested_by text, update_at float8, look float8, is_end bool, until float8, at float8,
    signals text[]"""
# What is locked: only those that nobody has taken over.
HELD: Final = f"""
    JOIN {CHAIN} c ON c.id = given.id AND c.version = given.version AND c.fence = given.fence
        AND c.locked_until > 0
    ORDER BY c.number FOR UPDATE OF c"""


def storing(held: str) -> str:
    """
    Give what stores transitions.

    :param held: from where the numbers of their chains and `COLUMNS` are taken.
    """
    return f"""
    moved AS (
        UPDATE {CHAIN} c SET state = new_state, version = held.version + 1,
            next_update = update_at, ended = is_end, locked_until = until, entered = at,
            tried = at, failures = 0, parked = FALSE, error = NULL, refusals = NULL,
            poked = c.poked AND until > 0,
            due = CASE WHEN c.disabled OR look IS NULL THEN NULL
                WHEN until > 0 THEN least(c.due, until) ELSE look END,
            ended_at = CASE WHEN is_end THEN at END
        FROM {held} held WHERE c.number = held.number
    ), noted AS (
        INSERT INTO {HISTORY}
            (chain, version, previous, state, transition_name, requested_by, at)
        SELECT number, version + 1, previous, new_state, transition_name, requested_by, at
        FROM {held}
    ), used AS (
        DELETE FROM {SIGNAL} s USING {held} held
        WHERE s.chain = held.number AND s.name = ANY(held.signals)
    )"""


_MOVE: Final = f"""
    WITH kept AS MATERIALIZED (
        SELECT c.number, given.* FROM json_to_recordset(%s::json) AS given (place int, {COLUMNS})
        {HELD}
    ), {storing("kept")}
    SELECT place FROM kept"""
_HOLD: Final = f"""
    SELECT 1 FROM {CHAIN}
    WHERE id = %s AND version = %s::bigint AND fence = %s::bigint AND locked_until > 0
    FOR UPDATE"""


def move_all(ledger: Ledger, requests: Sequence[MoveRequest]) -> list[Moved]:
    """Store the transitions of some calls of `IChainStore.move`."""
    given = [{"place": place, **row_of(each[0], each[2])} for place, each in enumerate(requests)]
    found = ledger.change("move chains", _MOVE, (rows(given),))
    places = [place for (place,) in found]
    results = [LOST] * len(requests)
    if places:
        asked = [((requests[each][0].event,), *requests[each][1:]) for each in places]
        for place, (accepted,) in zip(places, accept_all(ledger, asked)):
            results[place] = Moved(True, accepted)
    return results


def row_of(move: Move, now: float) -> dict[str, Any]:
    """Give what is to be known of a transition, as `COLUMNS` have it."""
    return {
        "id": move.chain_id,
        "version": move.version,
        "fence": move.fence,
        "previous": move.previous,
        "new_state": move.state,
        "transition_name": move.transition,
        "requested_by": move.requested_by,
        "update_at": move.next_update,
        "look": move.due,
        "is_end": move.ended,
        "until": move.locked_until,
        "at": now,
        "signals": list(move.signals),
    }


def transact(
    ledger: Ledger, move: Move, work: Callable[[Any], Any], worker: Worker, now: float
) -> tuple[Any, Moved]:
    """
    Do some work and store its transition; see `IChainStore.transact`.

    :raises WorkFailed: with what the work has raised; then the transaction must not be kept.
    """
    if not ledger.read(_HOLD, (move.chain_id, move.version, move.fence)):
        return None, LOST
    try:
        value, claims = do_within(ledger, work, worker, now)
    except Exception as error:
        raise WorkFailed(error) from error
    try:
        (moved,) = move_all(ledger, [(move, worker, now)])
    except Exception as error:
        raise WorkFailed(error, is_handlers=False) from error
    return value, Moved(moved.held, moved.accepted, claims)
