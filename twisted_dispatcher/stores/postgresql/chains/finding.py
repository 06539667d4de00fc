"""
Finding the chains with some resources, or storing them.

Exactly these resources are one look into an index of hashes; for chains that have more, see the
function in ``0002_chains.sql``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from twisted_dispatcher.chainrecords import FoundChain, NewChain, StoredChain, pair_hashes
from twisted_dispatcher.stores.postgresql.chains.rows import (
    CHAIN,
    CHAINS_WITH,
    COLUMNS,
    PAIR,
    chain_of,
)
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.tables import rows

# What is looked for, whether exactly that, and when.
FindRequest = tuple[NewChain, bool, float]

# So many are listed where several could be meant.
MOST_LISTED: Final = 10

# Chains that have more are looked for only where there is none that has exactly this.
WANTED: Final = f"""
    wanted.hash, wanted.pairs, (
        SELECT c.number FROM {CHAIN} c WHERE c.set_hash = decode(wanted.hash, 'hex')) AS exact"""
FOUND: Final = f"""
    wanted CROSS JOIN LATERAL unnest(CASE
        WHEN wanted.exact IS NOT NULL THEN ARRAY[wanted.exact]
        WHEN wanted.pairs IS NOT NULL THEN {CHAINS_WITH}(
            ARRAY(SELECT decode(pair, 'hex') FROM unnest(wanted.pairs) pair), {MOST_LISTED})
        END) WITH ORDINALITY AS found (number, position)
    JOIN {CHAIN} c ON c.number = found.number"""
_LOOK: Final = f"""
    WITH wanted AS MATERIALIZED (
        SELECT place, {WANTED}
        FROM json_to_recordset(%s::json) AS wanted (place int, hash text, pairs text[])
    )
    SELECT wanted.place, {COLUMNS} FROM {FOUND} ORDER BY wanted.place, found.position"""
_EXACT: Final = f"""
    SELECT c.set_hash, {COLUMNS} FROM {CHAIN} c WHERE c.set_hash = ANY(%s::bytea[])"""
# What a parameter has of each new chain.
NEW: Final = """
    id text, chain_type text, hash text, pairs text, definition text, state text,
    next_update float8, due float8, now float8, hashes text[]"""


def storing(new: str) -> str:
    """
    Give what stores chains.

    :param new: from where `NEW` is taken, with the hash as ``bytes``.
    """
    return f"""
    stored AS (
        INSERT INTO {CHAIN} (id, chain_type, set_hash, pairs, definition, state, next_update, due,
            ended, created, entered, ended_at)
        SELECT id, chain_type, bytes, pairs, definition, state, next_update, due, due IS NULL,
            now, now, CASE WHEN due IS NULL THEN now END
        FROM {new} ORDER BY bytes
        ON CONFLICT (set_hash) DO NOTHING
        RETURNING *
    ), entered AS (
        INSERT INTO {PAIR} (pair, chain)
        SELECT decode(pair, 'hex'), stored.number
        FROM stored JOIN {new} new ON new.bytes = stored.set_hash, unnest(new.hashes) pair
    )"""


_STORE: Final = f"""
    WITH wanted AS MATERIALIZED (
        SELECT *, decode(hash, 'hex') AS bytes
        FROM json_to_recordset(%s::json) AS wanted ({NEW})
    ), {storing("wanted")}
    SELECT c.set_hash, {COLUMNS} FROM stored c"""


def find_all(ledger: Ledger, requests: Sequence[FindRequest]) -> list[FoundChain]:
    """Find chains, or store them; see `IChainStore.find`."""
    found = _look(ledger, requests)
    # Of those who ask for the same at once, the first makes it.
    missing = {
        requests[place][0].set_hash: requests[place]
        for place in range(len(requests) - 1, -1, -1)
        if place not in found
    }
    stored = _store(ledger, missing) if missing else {}
    results = []
    for place, (new, _, _) in enumerate(requests):
        if place not in found:
            chain = stored[new.set_hash]
            results.append(FoundChain(chain, chain.id == new.id))
        elif len(found[place]) == 1:
            results.append(FoundChain(found[place][0]))
        else:
            results.append(FoundChain(None, False, tuple(found[place])))
    return results


def _look(ledger: Ledger, requests: Sequence[FindRequest]) -> dict[int, list[StoredChain]]:
    """Give by the places of requests the chains that could be meant."""
    wanted = []
    for place, (new, is_exact, _) in enumerate(requests):
        row: dict[str, Any] = {"place": place, "hash": new.set_hash.hex()}
        if not is_exact:
            row["pairs"] = [each.hex() for each in pair_hashes(new.chain_type, new.pairs)]
        wanted.append(row)
    found: dict[int, list[StoredChain]] = {}
    for place, *row in ledger.read(_LOOK, (rows(wanted),)):
        found.setdefault(place, []).append(chain_of(tuple(row)))
    return found


def _store(ledger: Ledger, missing: dict[bytes, FindRequest]) -> dict[bytes, StoredChain]:
    """Store chains by the hashes of their resources, and give them, whoever has made them."""
    ledger.mark()
    values = [row_of(digest, missing[digest][0], missing[digest][2]) for digest in sorted(missing)]
    stored = {
        row[0]: chain_of(row[1:])
        for row in ledger.change("insert chains", _STORE, (rows(values),))
    }
    others = [digest for digest in missing if digest not in stored]
    if others:
        # Somebody else has made them meanwhile.
        made = ledger.read(_EXACT, (others,))
        stored.update((row[0], chain_of(row[1:])) for row in made)
    if any(new.due is not None for new, _, _ in missing.values()):
        ledger.news.add("chains")
    return stored


def row_of(digest: bytes, new: NewChain, now: float) -> dict[str, Any]:
    """Give what is to be known of a new chain, as `NEW` has it."""
    return {
        "id": new.id,
        "chain_type": new.chain_type,
        "hash": digest.hex(),
        "pairs": new.pairs_text,
        "definition": new.definition,
        "state": new.state,
        "next_update": new.next_update,
        "due": new.due,
        "now": now,
        "hashes": [each.hex() for each in pair_hashes(new.chain_type, new.pairs)],
    }
