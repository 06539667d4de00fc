"""Having a chain for oneself for a while, and giving it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from twisted_dispatcher.chainrecords import LockedChain, Release
from twisted_dispatcher.stores.sqlite.chains.rows import (
    CHAIN,
    COLUMNS,
    chain_of,
    row_of,
    signals_of,
)
from twisted_dispatcher.stores.sqlite.ledger import Ledger

# While it is locked it is due when the lock ends: then somebody takes over what the dead have
# left.
_LOCK: Final = f"""
    UPDATE {CHAIN} SET locked_until = ?1, fence = fence + 1, poked = 0,
        due = CASE WHEN due IS NULL THEN NULL ELSE ?1 END
    WHERE number = ?2"""
_RENEW: Final = f"""
    UPDATE {CHAIN} SET locked_until = ?1, due = CASE WHEN due IS NULL THEN NULL ELSE ?1 END
    WHERE id = ?2 AND fence = ?3 AND locked_until > 0"""
_RELEASE: Final = f"""
    UPDATE {CHAIN} SET locked_until = 0, poked = 0, tried = ?1, refusals = ?2, error = ?3,
        failures = ?4, parked = ?5,
        due = CASE WHEN disabled OR ?6 IS NULL THEN NULL WHEN poked THEN ?1 ELSE ?6 END
    WHERE id = ?7 AND fence = ?8 AND locked_until > 0"""
_DUE: Final = f"""
    SELECT {COLUMNS} FROM {CHAIN}
    WHERE chain_type = ?1 AND due <= ?2 AND locked_until <= ?2 ORDER BY due LIMIT ?3"""
_IS_LOCKED: Final = f"SELECT 1 FROM {CHAIN} WHERE number = ? AND fence = ? AND locked_until = ?"
_IS_TRIED: Final = f"SELECT 1 FROM {CHAIN} WHERE id = ? AND fence = ? AND tried = ?"


def lock(ledger: Ledger, chain_id: str, until: float, now: float) -> LockedChain:
    """Lock a chain, if it may be; see `IChainStore.lock`."""
    row = row_of(ledger, chain_id)
    if not chain_of(row).is_free(now):
        return LockedChain(chain_of(row), False)
    return _locked(ledger, row, until)


def claim_due(
    ledger: Ledger, chain_type: str, until: float, now: float, limit: int
) -> list[LockedChain]:
    """Lock chains that are due; see `IChainStore.claim_due`."""
    return [_locked(ledger, row, until) for row in due_rows(ledger, chain_type, now, limit)]


def due_rows(place: Any, chain_type: str, now: float, limit: int) -> list[Any]:
    """Give the rows of chains that are due."""
    rows: list[Any] = place.read(_DUE, (chain_type, now, limit))
    return rows


def _locked(ledger: Ledger, row: tuple[Any, ...], until: float) -> LockedChain:
    number, chain = row[0], chain_of(row)
    ledger.write("lock chain", _LOCK, (until, number))
    ledger.witness = (_IS_LOCKED, (number, chain.fence + 1, until))
    chain = attrs.evolve(
        chain,
        locked_until=until,
        fence=chain.fence + 1,
        due=None if chain.due is None else until,
    )
    return LockedChain(chain, True, signals_of(ledger, number))


def renew(ledger: Ledger, locks: Sequence[tuple[str, int]], until: float) -> None:
    """Go on having chains; see `IChainStore.renew`."""
    for chain_id, fence in locks:
        ledger.write("renew lock", _RENEW, (until, chain_id, fence))


def release(ledger: Ledger, given: Release, now: float) -> bool:
    """Give a chain back; see `IChainStore.release`."""
    count = ledger.write(
        "release chain",
        _RELEASE,
        (
            *(now, given.refusals, given.error, given.failures, given.parked),
            *(given.due, given.chain_id, given.fence),
        ),
    )
    if count:
        ledger.witness = (_IS_TRIED, (given.chain_id, given.fence, now))
    return count == 1
