"""
Fills stores with chains that wait, all of which share one resource.

The first ones are stored as any others are. The rest, in a year due, are copies of the last of
them, which are written into the tables directly: a million would take a quarter of an hour else.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

from twisted.internet.defer import gatherResults

from tests.benchmarks.chains.ours import CHAIN_TYPE, Ours
from tests.benchmarks.on_stores.places import SQLITE
from twisted_dispatcher.chainrecords import NewChain, pair_hashes
from twisted_dispatcher.chains import NEW
from twisted_dispatcher.stores.urls import scheme_of, sqlite_path

FIRST = 1000
AT_ONCE = 50_000
YEAR = 365 * 86400.0
SHOP = ("shop", "all of them")

TABLE = "twisted_dispatcher_chain"
PAIRS = "twisted_dispatcher_chain_pair"
Rows = Iterable[tuple[Any, ...]]
# Takes the name of a table, those of its columns, and rows.
Write = Callable[[str, Sequence[str], Rows], object]


async def fill(ours: Ours, url: str, chains: int, now: float, due: int) -> None:
    """Stores so many chains; the first ones are due, the others in a year."""
    first = range(min(chains, FIRST))
    news = (new_chain(ours, each, now if each < due else now + YEAR) for each in first)
    await gatherResults([ours.chains.store.find(each, True, now) for each in news])
    if chains > FIRST:
        copy = copy_in_sqlite if scheme_of(url) == SQLITE else copy_in_postgresql
        copy(url, ours, range(FIRST, chains), now + YEAR)


def new_chain(ours: Ours, number: int, due: float) -> NewChain:
    """Gives one chain."""
    pairs = tuple(sorted([*selective(number), SHOP]))
    definition = ours.chains.configuration.definition
    return NewChain(name_of(number), CHAIN_TYPE, NEW, pairs, definition, None, due)


def name_of(number: int) -> str:
    """Gives the id of a chain."""
    return f"chain-{number:09}"


def selective(number: int) -> list[tuple[str, str]]:
    """Gives the resources that few other chains have."""
    return [("order", f"order-{number}"), ("customer", f"customer-{number // 3}")]


def scattered(chains: int) -> Iterator[int]:
    """Gives numbers of chains, all over the store, without end."""
    number = 0
    while True:
        number = (number + 7919) % chains
        yield number


def copy_in_sqlite(url: str, ours: Ours, numbers: range, due: float) -> None:
    """Writes copies into a SQLite file."""
    with closing(sqlite3.connect(sqlite_path(url) or "")) as connection:
        connection.row_factory = sqlite3.Row
        model = connection.execute(f"SELECT * FROM {TABLE} ORDER BY number DESC").fetchone()

        def write(table: str, columns: Sequence[str], rows: Rows) -> None:
            places = ", ".join("?" for _ in columns)
            sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
            connection.executemany(sql, rows)
            connection.commit()

        copies(dict(model), ours, numbers, due, write)
        connection.execute("ANALYZE")


def copy_in_postgresql(url: str, ours: Ours, numbers: range, due: float) -> None:
    """Writes copies into a PostgreSQL database."""
    import psycopg
    from psycopg.rows import dict_row

    with psycopg.connect(url, row_factory=dict_row, autocommit=True) as connection:
        select = f"SELECT * FROM {TABLE} ORDER BY number DESC LIMIT 1"
        model = connection.execute(select).fetchone()
        assert model is not None

        def write(table: str, columns: Sequence[str], rows: Rows) -> None:
            copying = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
            with connection.cursor().copy(copying) as copy:
                for row in rows:
                    copy.write_row(row)

        copies(model, ours, numbers, due, write)
        connection.execute(
            f"SELECT setval(pg_get_serial_sequence('{TABLE}', 'number'), max(number)) FROM {TABLE}"
        )
        connection.execute("ANALYZE")


def copies(model: dict[str, Any], ours: Ours, numbers: range, due: float, write: Write) -> None:
    """Writes copies of a row, some at a time, with resources of their own."""
    place = model["number"] + 1 - numbers.start
    for start in range(numbers.start, numbers.stop, AT_ONCE):
        some = range(start, min(start + AT_ONCE, numbers.stop))
        chains = [(each, new_chain(ours, each, due)) for each in some]
        write(TABLE, [*model], (row_of(model, place + each, new) for each, new in chains))
        write(
            PAIRS,
            ("pair", "chain"),
            [
                (pair, place + each)
                for each, new in chains
                for pair in pair_hashes(CHAIN_TYPE, new.pairs)
            ],
        )


def row_of(model: dict[str, Any], number: int, new: NewChain) -> tuple[Any, ...]:
    """Gives the row of one chain."""
    own = {
        "number": number,
        "id": new.id,
        "set_hash": new.set_hash,
        "pairs": json.dumps(new.pairs),
        "due": new.due,
    }
    return tuple({**model, **own}.values())
