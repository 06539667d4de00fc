"""The names of the tables, and a way to insert many rows by few statements."""

from __future__ import annotations

from typing import Any, Final

from twisted_dispatcher.records import WORKER_DIED

META: Final = "twisted_dispatcher_meta"
WORKER: Final = "twisted_dispatcher_worker"
EVENT: Final = "twisted_dispatcher_event"
DELIVERY: Final = "twisted_dispatcher_delivery"
LANE: Final = "twisted_dispatcher_lane"

TABLES: Final = (META, WORKER, EVENT, DELIVERY, LANE)

# The error of a delivery whose worker has died.
DIED: Final = f"'{WORKER_DIED[0]}' || attempts || '{WORKER_DIED[1]}'"
# Whether it has that error.
HAS_DIED: Final = f"coalesce(substr(error, 1, {len(WORKER_DIED[0])}) = '{WORKER_DIED[0]}', FALSE)"


class Insert:
    """
    An INSERT in sizes, each of which inserts so many rows by one statement.

    That is about twice as fast as one statement for each row, which opens every index anew. OR
    FAIL spares SQLite a copy of every page that it touches; a failure leaves some rows behind, so
    that whoever inserts must roll back then.
    """

    # Older versions of SQLite take 999 parameters at most.
    SIZES = (64, 16, 4, 1)

    def __init__(self, table: str, *columns: str, otherwise: str = "") -> None:
        """:param otherwise: what follows the values."""
        width = len(columns)
        row = f"({', '.join('?' * width)})"
        self.statements = [
            (
                size * width,
                f"INSERT OR FAIL INTO {table} ({', '.join(columns)}) "
                f"VALUES {', '.join([row] * size)} {otherwise}",
            )
            for size in self.SIZES
        ]


class ByIds:
    """
    A statement about the rows with some ids.

    Ids that were given out together mostly come back together, and then they are a range, which
    takes SQLite half the time of a list.
    """

    def __init__(self, sql: str) -> None:
        """:param sql: has ``{ids}`` for the condition, and parameters from ``?3`` on."""
        self._of_range = sql.format(ids="BETWEEN ?1 AND ?2")
        self._of_list = sql.format(ids="IN (SELECT value FROM json_each(?1) WHERE ?2 IS NULL)")

    def about(self, ids: list[int], *values: Any) -> tuple[str, tuple[Any, ...]]:
        """Give the statement for some ids, at least one of them, and its parameters."""
        first, last = ids[0], ids[-1]
        if last - first == len(ids) - 1 and [*range(first, last + 1)] == ids:
            return self._of_range, (first, last, *values)
        return self._of_list, (f"[{','.join(map(str, ids))}]", None, *values)
