"""The program C{with_procrastinate URL EVENTS}: Procrastinate, which needs PostgreSQL.

Prints jobs per second: deferring them one after another, and deferring and doing a backlog.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter

from procrastinate import App, PsycopgConnector

from tests.benchmarks.contenders import WrongCalls


async def main(url: str, events: int) -> None:
    """Does the jobs by one worker in this process."""
    app = App(connector=PsycopgConnector(conninfo=url))
    done = []

    @app.task(name="handle", queue="benchmark")  # type: ignore[untyped-decorator]
    async def handle(number: int) -> None:
        done.append(number)

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        began = perf_counter()
        for number in range(events):
            await handle.defer_async(number=number)
        between = perf_counter()
        await app.run_worker_async(
            queues=["benchmark"], wait=False, install_signal_handlers=False, listen_notify=False
        )
        ended = perf_counter()
    if len(done) != events:
        raise WrongCalls(f"Procrastinate did {len(done)} jobs instead of {events}")
    rates = {
        "Procrastinate, defer": events / (between - began),
        "Procrastinate, backlog": events / (ended - began),
    }
    print(json.dumps(rates))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
