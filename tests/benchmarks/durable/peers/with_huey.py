"""The program C{with_huey FILE EVENTS}: huey on SQLite, synchronized at each commit as ours is.

Prints tasks per second: a backlog that is enqueued and then done, and one task after another.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter

from huey import SqliteHuey

from tests.benchmarks.contenders import WrongCalls


def main(path: str, events: int) -> None:
    """Does the tasks in this process, as its consumer's one worker does them."""
    huey = SqliteHuey("benchmark", filename=path, fsync=True, journal_mode="wal")
    done = []

    @huey.task()  # type: ignore[untyped-decorator]
    def handle(number: int) -> None:
        done.append(number)

    began = perf_counter()
    for number in range(events):
        handle(number)
    while (task := huey.dequeue()) is not None:
        huey.execute(task)
    between = perf_counter()
    for number in range(events):
        handle(number)
        huey.execute(huey.dequeue())
    ended = perf_counter()
    if len(done) != 2 * events:
        raise WrongCalls(f"huey did {len(done)} tasks instead of {2 * events}")
    rates = {"huey, backlog": events / (between - began), "huey, 1": events / (ended - between)}
    print(json.dumps(rates))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
