"""
The locks by which PostgreSQL's transactions take turns in a lane.

Whoever has one keeps others from looking who is first in the lane, and from changing that, until
its transaction ends.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from typing import Any, Final

# Taking many locks of single lanes could fill the server's table of locks; who has more of them
# takes all lanes at once. Everybody else has a share in that lock.
MOST_LANES: Final = 200
_ALL_LANES: Final = "twisted_dispatcher lanes"
_LOCK_ALL: Final = "SELECT pg_advisory_xact_lock(%s::bigint)"
_LOCK_EACH: Final = """
    SELECT pg_advisory_xact_lock_shared(%s::bigint), (
        SELECT count(pg_advisory_xact_lock(lane)) FROM unnest(%s::bigint[]) lane)"""


def lane_locks(lanes: Collection[str]) -> tuple[str, tuple[Any, ...]]:
    """
    Give the statement that locks different lanes, at least one, and its parameters.

    Locks are taken in an order that is the same for everybody.
    """
    if len(lanes) > MOST_LANES:
        return _LOCK_ALL, (_lock_of(_ALL_LANES),)
    locks = sorted(_lock_of(f"lane {lane}") for lane in lanes)
    return _LOCK_EACH, (_lock_of(_ALL_LANES), f"{{{','.join(map(str, locks))}}}")


def _lock_of(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
