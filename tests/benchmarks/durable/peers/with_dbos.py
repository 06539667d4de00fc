"""The program C{with_dbos URL EVENTS [STEPS]}: DBOS, a workflow of one step, or of several.

Prints workflows per second: one after another, and by a hundred callers.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from dbos import DBOS

from tests.benchmarks.contenders import WrongCalls

CALLERS = 100


def main(url: str, events: int, steps: int) -> None:
    """Calls the workflow in this process, which waits for its end."""
    DBOS(
        config={
            "name": "benchmark",
            "system_database_url": url,
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    done = []

    @DBOS.step()  # type: ignore[untyped-decorator]
    def step(number: int) -> None:
        done.append(number)

    @DBOS.workflow()  # type: ignore[untyped-decorator]
    def workflow(number: int) -> None:
        for _ in range(steps):
            step(number)

    DBOS.launch()
    began = perf_counter()
    for number in range(events):
        workflow(number)
    between = perf_counter()
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(workflow, range(events)))
    ended = perf_counter()
    DBOS.destroy()
    if len(done) != 2 * events * steps:
        raise WrongCalls(f"DBOS took {len(done)} steps instead of {2 * events * steps}")
    rates = {"DBOS, 1": events / (between - began), "DBOS, 100": events / (ended - between)}
    print(json.dumps(rates))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 1)
