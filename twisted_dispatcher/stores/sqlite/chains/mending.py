"""What is done to chains from outside: signals, keeping them from being executed, forgetting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from twisted_dispatcher.chainrecords import pair_hashes
from twisted_dispatcher.stores.sqlite.chains.rows import CHAIN, HISTORY, PAIR, SIGNAL, row_of
from twisted_dispatcher.stores.sqlite.ledger import Ledger

# When a chain is due that is to be looked at as soon as may be.
_SOON: Final = """
    CASE WHEN version > 0 AND next_update > ?1 THEN next_update ELSE ?1 END"""
_SIGNAL: Final = f"""
    INSERT OR REPLACE INTO {SIGNAL} (chain, name, value, at) VALUES (?, ?, ?, ?)"""
_POKE: Final = f"""
    UPDATE {CHAIN} SET poked = 1,
        due = CASE WHEN due IS NULL OR locked_until > ?1 THEN due ELSE {_SOON} END
    WHERE number = ?2"""
_DISABLE: Final = f"UPDATE {CHAIN} SET disabled = 1, due = NULL WHERE number = ?2 AND ?1"
_ENABLE: Final = f"""
    UPDATE {CHAIN} SET disabled = 0,
        due = CASE WHEN ended OR parked THEN NULL WHEN locked_until > ?1 THEN locked_until
            ELSE {_SOON} END
    WHERE number = ?2"""
_RESUME: Final = f"""
    UPDATE {CHAIN} SET parked = 0, failures = 0,
        due = CASE WHEN ended OR disabled THEN NULL WHEN locked_until > ?1 THEN locked_until
            ELSE {_SOON} END
    WHERE number = ?2"""

_OTHERS: Final = f"""
    SELECT number, state, due, disabled, parked, locked_until, version, next_update FROM {CHAIN}
    WHERE chain_type = ?1 AND definition {{}} ?2 LIMIT ?3"""
_ADOPT: Final = f"""
    UPDATE {CHAIN} SET definition = ?, state = ?, ended = ?, due = ? WHERE number = ?"""

_ENDED: Final = f"""
    SELECT number, pairs FROM {CHAIN}
    WHERE chain_type = ? AND ended = 1 AND entered < ? AND locked_until <= 0
    ORDER BY entered LIMIT ?"""
_FORGET_PAIR: Final = f"DELETE FROM {PAIR} WHERE pair = ? AND chain = ?"
_FORGET: Final = (
    f"DELETE FROM {SIGNAL} WHERE chain = ?",
    f"DELETE FROM {HISTORY} WHERE chain = ?",
    f"DELETE FROM {CHAIN} WHERE number = ?",
)


def signal(ledger: Ledger, chain_id: str, name: str, value: str, now: float) -> None:
    """Remember that something has arrived; see `IChainStore.signal`."""
    number = row_of(ledger, chain_id)[0]
    ledger.write("insert signal", _SIGNAL, (number, name, value, now))
    ledger.write("poke chain", _POKE, (now, number))
    ledger.news.add("chains")


def set_disabled(ledger: Ledger, chain_id: str, disabled: bool, now: float) -> None:
    """Keep a chain from being executed, or allow it; see `IChainStore.set_disabled`."""
    number = row_of(ledger, chain_id)[0]
    ledger.write("disable chain", _DISABLE if disabled else _ENABLE, (now, number))
    ledger.news.add("chains")


def resume(ledger: Ledger, chain_id: str, now: float) -> None:
    """Forget the failures of a chain; see `IChainStore.resume`."""
    ledger.write("resume chain", _RESUME, (now, row_of(ledger, chain_id)[0]))
    ledger.news.add("chains")


def adopt(
    ledger: Ledger,
    chain_type: str,
    definition: str,
    renamed: Mapping[str, str],
    going: Sequence[str],
    now: float,
    limit: int,
) -> int:
    """Put chains under another definition; see `IChainStore.adopt`."""
    rows: list[Any] = []
    for side in "<>":
        rows += ledger.read(_OTHERS.format(side), (chain_type, definition, limit - len(rows)))
    for number, state, due, disabled, parked, locked_until, version, next_update in rows:
        state = renamed.get(state, state)
        is_end = state not in going
        if is_end or disabled or parked:
            due = None
        elif due is None:
            due = next_update if version and (next_update or 0) > now else now
            due = max(due, locked_until)
        ledger.write("adopt chain", _ADOPT, (definition, state, is_end, due, number))
    if rows:
        ledger.news.add("chains")
    return len(rows)


def purge(ledger: Ledger, chain_type: str, before: float, limit: int) -> int:
    """Forget chains that are at their end; see `IChainStore.purge`."""
    found = ledger.read(_ENDED, (chain_type, before, limit))
    for number, pairs in found:
        _forget_pairs(ledger, number, chain_type, pairs)
        for statement in _FORGET:
            ledger.write("forget chain", statement, (number,))
    return len(found)


def _forget_pairs(ledger: Ledger, number: int, chain_type: str, pairs: str) -> None:
    for pair in pair_hashes(chain_type, map(tuple, json.loads(pairs))):
        ledger.write("forget pairs", _FORGET_PAIR, (pair, number))
