"""
Finding the chain with some resources, or storing it.

Exactly these resources are one look into an index of hashes. Chains that have more are found by
reading the lists of the resources side by side, each from where the others have got to (a leapfrog
join: Veldhuizen, ICDT 2014). That takes no more steps than the rarest resource has chains, however
many have the others.
"""

from __future__ import annotations

import json
from typing import Any, Final

from twisted_dispatcher.chainrecords import FoundChain, NewChain, pair_hashes
from twisted_dispatcher.stores.sqlite.chains.rows import BY_NUMBER, CHAIN, COLUMNS, PAIR, chain_of
from twisted_dispatcher.stores.sqlite.ledger import Ledger
from twisted_dispatcher.stores.sqlite.tables import Insert

# So many are listed where several could be meant.
MOST_LISTED: Final = 10

_EXACT: Final = f"SELECT {COLUMNS} FROM {CHAIN} WHERE set_hash = ?"
_FIRST: Final = f"SELECT chain FROM {PAIR} WHERE pair = ? ORDER BY chain LIMIT ?"
_NEXT: Final = f"SELECT chain FROM {PAIR} WHERE pair = ? AND chain >= ? ORDER BY chain LIMIT 1"
_LAST_NUMBER: Final = f"SELECT max(number) FROM {CHAIN}"
_CHAIN: Final = Insert(
    CHAIN,
    *("number", "id", "chain_type", "set_hash", "pairs", "definition", "state", "version"),
    *("next_update", "due", "disabled", "ended", "locked_until", "fence", "poked", "failures"),
    *("parked", "created", "entered"),
)
_PAIRS: Final = Insert(PAIR, "pair", "chain")
_IS_THERE: Final = f"SELECT 1 FROM {CHAIN} WHERE id = ?"


def find(ledger: Ledger, new: NewChain, exact: bool, now: float) -> FoundChain:
    """Find a chain, or store it; see `IChainStore.find`."""
    rows = ledger.read(_EXACT, (new.set_hash,))
    if rows:
        return FoundChain(chain_of(rows[0]))
    hashes = pair_hashes(new.chain_type, new.pairs)
    numbers = [] if exact else chains_with(ledger, hashes, MOST_LISTED)
    if numbers:
        found = [chain_of(ledger.read(BY_NUMBER, (number,))[0]) for number in numbers]
        return FoundChain(found[0]) if len(found) == 1 else FoundChain(None, False, tuple(found))
    return FoundChain(_store(ledger, new, hashes, now), True)


def chains_with(place: Any, hashes: list[bytes], most: int) -> list[int]:
    """Give the first numbers of the chains that have all of some resources."""
    if len(hashes) == 1:
        return [number for (number,) in place.read(_FIRST, (hashes[0], most))]
    found: list[int] = []
    number = agreed = at = 0
    while len(found) < most:
        rows = place.read(_NEXT, (hashes[at], number))
        if not rows:
            break
        ((following,),) = rows
        agreed = agreed + 1 if following == number else 1
        number = following
        if agreed == len(hashes):
            found.append(number)
            number, agreed = number + 1, 0
        at = (at + 1) % len(hashes)
    return found


def _store(ledger: Ledger, new: NewChain, hashes: list[bytes], now: float) -> Any:
    ((last,),) = ledger.read(_LAST_NUMBER)
    number = (last or 0) + 1
    pairs = json.dumps(new.pairs, separators=(",", ":"))
    ledger.insert(
        "insert chain",
        _CHAIN,
        [
            *(number, new.id, new.chain_type, new.set_hash, pairs, new.definition, new.state, 0),
            *(new.next_update, new.due, 0, int(new.due is None), 0.0, 0, 0, 0, 0, now, now),
        ],
    )
    ledger.insert("insert pairs", _PAIRS, [value for each in hashes for value in (each, number)])
    ledger.witness = (_IS_THERE, (new.id,))
    if new.due is not None:
        ledger.news.add("chains")
    return chain_of(ledger.read(BY_NUMBER, (number,))[0])
