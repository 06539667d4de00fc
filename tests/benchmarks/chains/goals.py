"""What is wanted of chains: a table of goals, and of what they may never fall below."""

from __future__ import annotations

from tests.benchmarks.goals import Goal
from tests.benchmarks.on_stores.goals import at_least, at_most
from tests.benchmarks.on_stores.places import STORES


def goals() -> list[Goal]:
    """Gives all that is wanted, on any store."""
    wanted = []
    for store in STORES:
        wanted += [
            at_least(
                f"three steps, ours / DBOS, {callers}",
                "peers",
                store,
                (f"ours, {number}", f"DBOS, {number}"),
                bounds,
            )
            for callers, number, bounds in (
                ("1 caller", 1, (3.3, 1.5)),
                ("100 callers", 100, (100, 20)),
            )
        ]
        wanted += [slower(f"finding, {how}", "finding", f"{how}, ", store) for how in FINDING]
        wanted.append(slower("locking what is due", "due", "among ", store))
    return wanted


FINDING = ("exact", "selective", "hot")


def slower(what: str, name: str, prefix: str, store: str) -> Goal:
    """Wants a full store to be hardly slower than one with few chains."""
    pair = (f"{prefix}few", f"{prefix}very many")
    return at_most(f"{what}, among few / very many", name, store, pair, (1.5, 3))
