"""
Where a thread does a group of requests: in one transaction on one connection, or reading.

What cannot be done because the connection was lost, or because two transactions were in each
other's way, is done again; nothing of it was kept. Only a commit that raises may have happened:
the server is asked then, until it tells.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import attrs
import psycopg
from psycopg import Cursor
from psycopg_pool import ConnectionPool
from twisted.python.failure import Failure

from twisted_dispatcher.errors import StoreUnavailable
from twisted_dispatcher.stores.gathering import LARGEST_GROUP, Outcomes, Requests, Work, isolate
from twisted_dispatcher.stores.postgresql.complaints import (
    complain,
    is_lost,
    is_passing,
    translated,
)
from twisted_dispatcher.stores.postgresql.connections import WAIT, Mark, StoreConnection
from twisted_dispatcher.stores.postgresql.ledger import CommitUnknown, Ledger
from twisted_dispatcher.stores.postgresql.marks import look_up
from twisted_dispatcher.stores.postgresql.messages import Message
from twisted_dispatcher.stores.postgresql.transacting import WorkFailed

T = TypeVar("T")

# So many connections at most do what is asked for; one more listens.
THREADS: Final = 4
# What could not be done is tried again after these seconds, twice as long each time.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 0.5


@attrs.frozen(eq=False)
class Desk:
    """
    A kind of work, and how it is done.

    :ivar at_once: so many groups of it at most are done at the same time; one, if their order is
        to be that in which they were asked for.
    :ivar reads: whether it only reads.
    :ivar marked: whether its transactions are marked as they begin, since they always write.
    :ivar once: whether it must not be done again once it has begun.
    :ivar largest: the size of the largest group.
    :ivar message: what does it in one statement, without a thread, where that can be.
    """

    work: Work
    at_once: int = 1
    reads: bool = False
    marked: bool = True
    once: bool = False
    largest: int = LARGEST_GROUP
    message: type[Message] | None = None


class Office:
    """Does groups of requests in the threads that call it."""

    def __init__(self, pool: ConnectionPool[StoreConnection], store: str, patience: float) -> None:
        """
        :param store: its name, for errors.
        :param patience: for so many seconds a connection is waited for, and work is done again.
        """
        self.pool = pool
        self._store = store
        self._patience = patience
        self._closing = threading.Event()
        self.on_point: Callable[[str], object] | None = None

    def close(self) -> None:
        """Wait for the server no more."""
        self._closing.set()
        self.pool.close(timeout=1)

    def point(self, name: str) -> None:
        """Come to a crash point; see `stores.postgresql.ledger`."""
        if self.on_point is not None:
            self.on_point(name)

    def do(self, desk: Desk, requests: Sequence[Any]) -> tuple[Sequence[Any], frozenset[str]]:
        """Do a group of requests; give their outcomes, and what others may care for."""
        news: set[str] = set()

        def run(group: Requests) -> Outcomes:
            return {work: self._persist(desk, own, news) for work, own in group.items()}

        outcomes = isolate({desk.work: requests}, run)
        return outcomes[desk.work], frozenset(news)

    def _persist(self, desk: Desk, requests: Sequence[Any], news: set[str]) -> Sequence[Any]:
        """Do requests, again and again where that may help, until the patience ends."""
        deadline = time.monotonic() + self._patience
        pause = SHORTEST_PAUSE
        while True:
            try:
                return self._run(desk, requests, news)
            except WorkFailed as failed:
                return [Failure(self._reason_of(failed))]
            except Exception as error:
                if not is_passing(error) or time.monotonic() + pause > deadline:
                    complain(error, self._store)
            if self._closing.wait(pause):
                raise StoreUnavailable(f"{self._store} is away, and is being closed")
            pause = min(2 * pause, LONGEST_PAUSE)

    def _reason_of(self, failed: WorkFailed) -> Exception:
        """Give what a handler has raised, unless it is the store that is to blame."""
        reason = failed.reason
        if failed.is_handlers and not is_lost(reason):
            return reason
        ours = translated(reason, self._store)
        if ours is not reason:
            ours.__cause__ = reason
        return ours

    def _run(self, desk: Desk, requests: Sequence[Any], news: set[str]) -> Sequence[Any]:
        try:
            with self._connection() as connection:
                ledger = Ledger(connection, self.on_point)
                if desk.reads:
                    return desk.work(ledger, requests)
                results = _transact(desk, ledger, requests)
        except CommitUnknown as unknown:
            if self.look_up(unknown.mark, lambda _: True) is None:
                raise _not_committed(desk, unknown) from unknown
            results = unknown.results
        news |= ledger.news
        return results

    @contextmanager
    def _connection(self) -> Iterator[StoreConnection]:
        connection = self.pool.getconn(timeout=WAIT)
        try:
            yield connection
            connection.used = time.monotonic()
        finally:
            self.pool.putconn(connection)

    def look_up(self, mark: Mark, recall: Callable[[Cursor[Any]], T]) -> T | None:
        """
        Ask the server what a transaction has written, until it tells; see `marks.look_up`.

        :raises StoreUnavailable: when the store is closed before.
        """
        pause = SHORTEST_PAUSE
        while True:
            try:
                with self._connection() as connection:
                    return look_up(connection, mark, recall)
            except psycopg.Error:
                pass
            if self._closing.wait(pause):
                raise StoreUnavailable(
                    f"{self._store} is being closed while it is away: it is not known whether the "
                    "last commit happened"
                )
            pause = min(2 * pause, LONGEST_PAUSE)


def _transact(desk: Desk, ledger: Ledger, requests: Sequence[Any]) -> Sequence[Any]:
    """Do requests in one transaction."""
    try:
        if desk.marked:
            ledger.begin_marked()
        else:
            ledger.begin()
        results = desk.work(ledger, requests)
        try:
            ledger.commit()
        except CommitUnknown as unknown:
            unknown.results = results
            raise
        except Exception as error:
            if desk.once:
                raise WorkFailed(error) from error
            raise
    except Exception:
        with suppress(psycopg.Error):
            ledger.roll_back()
        raise
    except BaseException:
        # A crash point: nobody is there any more to roll back.
        ledger.connection.close()
        raise
    return results


def _not_committed(desk: Desk, unknown: CommitUnknown) -> Exception:
    reason = unknown.__cause__
    assert isinstance(reason, Exception)
    return WorkFailed(reason, is_handlers=False) if desk.once else reason
