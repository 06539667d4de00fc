"""Having chains for oneself for a while, and giving them back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from twisted.python.failure import Failure

from twisted_dispatcher.chainrecords import LockedChain, Release
from twisted_dispatcher.errors import UnknownChain
from twisted_dispatcher.stores.postgresql.chains.rows import (
    CHAIN,
    COLUMNS,
    SIGNALS,
    chain_of,
    rows_of,
)
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import rows

# A chain, until when it is to be locked, and when that is asked for.
LockRequest = tuple[str, float, float]
ReleaseRequest = tuple[Release, float]

# A locked chain is due when the lock ends, or before, so that somebody takes over what the dead
# have left; until then nobody claims it. What is in an index is changed only where it must be.
# Everybody locks rows in the same order, so that nobody waits for one another in a circle.
SET: Final = """
    locked_until = taken.until, fence = c.fence + 1, poked = FALSE,
    due = CASE WHEN c.due > taken.until THEN taken.until ELSE c.due END"""
TAKEN: Final = f"""
    JOIN {CHAIN} c ON c.id = wanted.id
    WHERE c.locked_until <= wanted.now AND NOT c.disabled
        AND NOT (c.version > 0 AND coalesce(c.next_update > wanted.now, FALSE))
    ORDER BY c.number FOR UPDATE OF c"""
_LOCK: Final = f"""
    WITH taken AS MATERIALIZED (
        SELECT c.number, wanted.until
        FROM json_to_recordset(%s::json) AS wanted (id text, until float8, now float8)
        {TAKEN}
    )
    UPDATE {CHAIN} c SET {SET} FROM taken WHERE c.number = taken.number
    RETURNING {COLUMNS}, {SIGNALS}"""
_CLAIM: Final = f"""
    WITH taken AS MATERIALIZED (
        SELECT number, due, %(until)s::float8 AS until FROM {CHAIN}
        WHERE chain_type = %(type)s AND due <= %(now)s AND locked_until <= %(now)s
        ORDER BY due LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
    UPDATE {CHAIN} c SET {SET} FROM taken WHERE c.number = taken.number
    RETURNING {COLUMNS}, {SIGNALS}, taken.due"""
_RENEW: Final = f"""
    WITH held AS MATERIALIZED (
        SELECT c.number FROM json_to_recordset(%(locks)s::json) AS lock (id text, fence bigint)
        JOIN {CHAIN} c ON c.id = lock.id AND c.fence = lock.fence AND c.locked_until > 0
        ORDER BY c.number FOR UPDATE OF c
    )
    UPDATE {CHAIN} c SET locked_until = %(until)s FROM held WHERE c.number = held.number"""
_RELEASE: Final = f"""
    WITH given AS MATERIALIZED (
        SELECT c.number, given.*
        FROM json_to_recordset(%s::json) AS given (
            place int, id text, fence bigint, at float8, refusals text, error text, failures int,
            parked bool, wanted float8)
        JOIN {CHAIN} c ON c.id = given.id AND c.fence = given.fence AND c.locked_until > 0
        ORDER BY c.number FOR UPDATE OF c
    )
    UPDATE {CHAIN} c SET locked_until = 0, poked = FALSE, tried = given.at,
        refusals = given.refusals, error = given.error, failures = given.failures,
        parked = given.parked,
        due = CASE WHEN c.disabled OR given.wanted IS NULL THEN NULL
            WHEN c.poked THEN given.at ELSE given.wanted END
    FROM given WHERE c.number = given.number RETURNING given.place"""


def lock_all(ledger: Ledger, requests: Sequence[LockRequest]) -> list[Any]:
    """Lock chains, as far as they are free; see `IChainStore.lock`."""
    # Of those who want the same one, the first may have it.
    firsts: dict[str, int] = {}
    for place, request in enumerate(requests):
        firsts.setdefault(request[0], place)
    wanted = [
        {"id": chain_id, "until": until, "now": now}
        for chain_id, until, now in (requests[place] for place in firsts.values())
    ]
    found = ledger.change("lock chains", _LOCK, (rows(wanted),))
    locked = {row[1]: locked_of(row) for row in found}
    others = {
        chain_id
        for place, (chain_id, _, _) in enumerate(requests)
        if chain_id not in locked or firsts[chain_id] != place
    }
    standing = rows_of(ledger, others) if others else {}
    results: list[Any] = []
    for place, (chain_id, _, _) in enumerate(requests):
        if chain_id in locked and firsts[chain_id] == place:
            results.append(locked[chain_id])
        elif chain_id in standing:
            results.append(LockedChain(chain_of(standing[chain_id]), False))
        else:
            results.append(Failure(UnknownChain(chain_id)))
    return results


def locked_of(row: tuple[Any, ...]) -> LockedChain:
    """Give what a row stands for that begins with `COLUMNS` and `SIGNALS`."""
    return LockedChain(chain_of(row), True, json.loads(row[20] or "{}"))


def claim_due(
    ledger: Ledger, chain_type: str, until: float, now: float, limit: int
) -> list[LockedChain]:
    """Lock chains that are due; see `IChainStore.claim_due`."""
    values = {"type": chain_type, "until": until, "now": now, "limit": limit}
    found = ledger.change("claim chains", _CLAIM, values)
    if found:
        ledger.mark()
    return [locked_of(row) for row in sorted(found, key=lambda row: row[21])]


def renew(ledger: Ledger, locks: Sequence[tuple[str, int]], until: float) -> None:
    """Go on having chains; see `IChainStore.renew`."""
    given = [{"id": chain_id, "fence": fence} for chain_id, fence in locks]
    ledger.write("renew locks", _RENEW, {"locks": rows(given), "until": until})


def release_all(ledger: Ledger, requests: Sequence[ReleaseRequest]) -> list[bool]:
    """Give chains back; see `IChainStore.release`."""
    given = [_row(place, *request) for place, request in enumerate(requests)]
    held = {place for (place,) in ledger.change("release chains", _RELEASE, (rows(given),))}
    return [place in held for place in range(len(requests))]


def _row(place: int, release: Release, now: float) -> dict[str, Any]:
    return {
        "place": place,
        "id": release.chain_id,
        "fence": release.fence,
        "at": now,
        "refusals": release.refusals,
        "error": release.error,
        "failures": release.failures,
        "parked": release.parked,
        "wanted": release.due,
    }
