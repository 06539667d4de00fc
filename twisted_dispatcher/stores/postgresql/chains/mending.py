"""What is done to chains from outside: signals, keeping them from being executed, forgetting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from twisted_dispatcher.chainrecords import pair_hashes
from twisted_dispatcher.errors import UnknownChain
from twisted_dispatcher.stores.postgresql.chains.rows import CHAIN, HISTORY, PAIR, SIGNAL
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import rows

# When a chain is due that is to be looked at as soon as may be.
_SOON: Final = """
    CASE WHEN version > 0 AND next_update > %(now)s THEN next_update ELSE %(now)s END"""
_POKE: Final = f"""
    UPDATE {CHAIN} SET poked = TRUE,
        due = CASE WHEN due IS NULL OR locked_until > %(now)s THEN due ELSE {_SOON} END
    WHERE id = %(id)s RETURNING number"""
_SIGNAL: Final = f"""
    INSERT INTO {SIGNAL} (chain, name, value, at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (chain, name) DO UPDATE SET value = excluded.value, at = excluded.at"""
_DISABLE: Final = f"UPDATE {CHAIN} SET disabled = TRUE, due = NULL WHERE id = %(id)s"
_ENABLE: Final = f"""
    UPDATE {CHAIN} SET disabled = FALSE,
        due = CASE WHEN ended OR parked THEN NULL WHEN locked_until > %(now)s THEN locked_until
            ELSE {_SOON} END
    WHERE id = %(id)s"""
_RESUME: Final = f"""
    UPDATE {CHAIN} SET parked = FALSE, failures = 0,
        due = CASE WHEN ended OR disabled THEN NULL WHEN locked_until > %(now)s THEN locked_until
            ELSE {_SOON} END
    WHERE id = %(id)s"""

_OTHERS: Final = f"""
    SELECT number, state, due, disabled, parked, locked_until, version, next_update FROM {CHAIN}
    WHERE chain_type = %s AND definition {{}} %s
    ORDER BY definition LIMIT %s FOR UPDATE SKIP LOCKED"""
_ADOPT: Final = f"""
    UPDATE {CHAIN} c SET definition = %(definition)s, state = new.state, ended = new.ended,
        due = new.due, ended_at = CASE WHEN new.ended THEN coalesce(c.ended_at, c.entered) END
    FROM json_to_recordset(%(chains)s::json) AS new (
        number bigint, state text, ended bool, due float8)
    WHERE c.number = new.number"""

_FORGET: Final = f"""
    WITH gone AS (
        DELETE FROM {CHAIN} WHERE number IN (
            SELECT number FROM {CHAIN}
            WHERE chain_type = %s AND ended_at < %s AND locked_until <= 0
            ORDER BY ended_at LIMIT %s FOR UPDATE SKIP LOCKED)
        RETURNING number, chain_type, pairs
    ), history AS (
        DELETE FROM {HISTORY} h USING gone WHERE h.chain = gone.number
    ), signals AS (
        DELETE FROM {SIGNAL} s USING gone WHERE s.chain = gone.number
    )
    SELECT number, chain_type, pairs FROM gone"""
_FORGET_PAIRS: Final = f"""
    DELETE FROM {PAIR} p
    USING json_to_recordset(%s::json) AS gone (pair text, chain bigint)
    WHERE p.pair = decode(gone.pair, 'hex') AND p.chain = gone.chain"""


def signal(ledger: Ledger, chain_id: str, name: str, value: str, now: float) -> None:
    """Remember that something has arrived; see `IChainStore.signal`."""
    found = ledger.change("poke chain", _POKE, {"id": chain_id, "now": now})
    if not found:
        raise UnknownChain(chain_id)
    ledger.write("insert signal", _SIGNAL, (found[0][0], name, value, now))
    ledger.news.add("chains")


def set_disabled(ledger: Ledger, chain_id: str, disabled: bool, now: float) -> None:
    """Keep a chain from being executed, or allow it; see `IChainStore.set_disabled`."""
    _change(ledger, "disable chain", _DISABLE if disabled else _ENABLE, chain_id, now)


def resume(ledger: Ledger, chain_id: str, now: float) -> None:
    """Forget the failures of a chain; see `IChainStore.resume`."""
    _change(ledger, "resume chain", _RESUME, chain_id, now)


def _change(ledger: Ledger, step: str, sql: str, chain_id: str, now: float) -> None:
    if not ledger.write(step, sql, {"id": chain_id, "now": now}):
        raise UnknownChain(chain_id)
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
    found: list[Any] = []
    for side in "<>":
        found += ledger.read(_OTHERS.format(side), (chain_type, definition, limit - len(found)))
    if not found:
        return 0
    new = []
    for number, state, due, disabled, parked, locked_until, version, next_update in found:
        state = renamed.get(state, state)
        is_end = state not in going
        if is_end or disabled or parked:
            due = None
        elif due is None:
            due = next_update if version and (next_update or 0) > now else now
            due = max(due, locked_until)
        new.append({"number": number, "state": state, "ended": is_end, "due": due})
    ledger.mark()
    values = {"definition": definition, "chains": rows(new)}
    ledger.write("adopt chains", _ADOPT, values)
    ledger.news.add("chains")
    return len(found)


def purge(ledger: Ledger, chain_type: str, before: float, limit: int) -> int:
    """Forget chains that are at their end; see `IChainStore.purge`."""
    gone = ledger.change("forget chains", _FORGET, (chain_type, before, limit))
    if gone:
        ledger.mark()
        pairs = [
            {"pair": pair.hex(), "chain": number}
            for number, kind, pairs in gone
            for pair in pair_hashes(kind, map(tuple, json.loads(pairs)))
        ]
        ledger.write("forget pairs", _FORGET_PAIRS, (rows(pairs),))
    return len(gone)
