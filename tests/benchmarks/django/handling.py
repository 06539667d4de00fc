"""The program C{handling URL WHO EVENTS [WAIT]}: orders that are saved, until they are handled.

WHO handles the events: a C{daemon} in a process of its own, a thread C{here}, or django-spark's
way (C{spark}), within save().  Prints events per second, from the first save() until the last
event is handled: with one save in each transaction, and with a hundred.  With WAIT it prints
instead how long it takes from save() until its event is handled, in milliseconds: the median,
where each is waited for before the next one is saved.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from statistics import median
from time import perf_counter, sleep
from typing import Any

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.django.names import AUTOCOMMIT, DAEMON, HERE, HUNDRED
from tests.benchmarks.django.project import get_ready
from tests.benchmarks.django.saving import new_ones, save_all
from tests.benchmarks.on_stores.children import ChildFailed

# So many seconds between two looks whether all is done, and until that is given up.
LOOK, LIMIT = 0.002, 300.0


def main(url: str, who: str, events: int, wait: bool) -> None:
    """Measures, and prints."""
    get_ready(url, HERE if who == HERE else DAEMON)
    with daemon() if who == DAEMON else nullcontext():
        saver = Saver(who)
        saver.save(100, 100)
        print(json.dumps(waits(saver, events) if wait else rates(saver, events)))
        stop()


@contextmanager
def daemon() -> Iterator[None]:
    """Has run_dispatcher run."""
    command = [sys.executable, "-m", "tests.benchmarks.django.manage", "run_dispatcher"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if not process.stdout or not process.stdout.readline():
                raise ChildFailed("run_dispatcher has ended before it was ready")
            yield
        finally:
            process.terminate()


def stop() -> None:
    """Stops what runs in this process."""
    from twisted_dispatcher.django import running

    running.stop()


class Saver:
    """Saves orders, and waits until they are handled."""

    def __init__(self, who: str) -> None:
        from django.db import transaction

        from tests.benchmarks.django.shop.models import Order, SparkEvent, SparkOrder
        from twisted_dispatcher.django.models import Delivery

        self._atomic = transaction.atomic
        self._model: Any = SparkOrder if who == "spark" else Order
        self._handled: Any = (
            SparkEvent.objects if who == "spark" else Delivery.objects.filter(status="done")
        )
        self._saved = 0

    def save(self, count: int, at_once: int) -> None:
        """Saves so many orders, so many in a transaction; raises WrongCalls if that takes long."""
        orders = new_ones(self._model, count)
        save_all(orders, nullcontext if at_once == 1 else self._atomic, at_once)
        self._saved += count
        until = perf_counter() + LIMIT
        while self._handled.count() < self._saved:
            if perf_counter() > until:
                raise WrongCalls(f"{self._handled.count()} of {self._saved} events were handled")
            sleep(LOOK)


def rates(saver: Saver, events: int) -> dict[str, float]:
    """Gives events per second."""
    found = {}
    for name, at_once in ((AUTOCOMMIT, 1), (HUNDRED, 100)):
        began = perf_counter()
        saver.save(events, at_once)
        found[name] = events / (perf_counter() - began)
    return found


def waits(saver: Saver, events: int) -> float:
    """Gives the milliseconds that one event takes."""
    found = []
    for _ in range(events):
        began = perf_counter()
        saver.save(1, 1)
        found.append(1000 * (perf_counter() - began))
    return median(found)


if __name__ == "__main__":
    _, url, who, events, *wait = sys.argv
    main(url, who, int(events), bool(wait))
