"""Reading in a thread what makes its reader wait."""

from __future__ import annotations

import queue
from collections.abc import Iterator

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import TestCase

from twisted_dispatcher.eventlogs.waiting import AHEAD, ReadInThread


class ReadInThreadTests(TestCase):
    """Items that come when they come."""

    timeout = 60

    def setUp(self) -> None:
        """Make a source that gives what is put into it, up to None."""
        self.source: queue.Queue[int | Exception | None] = queue.Queue()
        self.addCleanup(self.source.put, None)

    def items(self) -> Iterator[int]:
        """Give what is put into the source; this waits."""
        while (item := self.source.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def reading(self) -> ReadInThread[int]:
        """Begin to read the source."""
        return ReadInThread(self.items(), IReactorFromThreads(reactor))

    async def rest(self, reading: ReadInThread[int]) -> list[int]:
        """Read to the end, waiting where that is asked for."""
        found: list[int] = []
        for item in reading:
            if isinstance(item, Deferred):
                await item
            else:
                found.append(item)
        return found

    async def test_all(self) -> None:
        """All items come, in their order, however many there are."""
        for number in range(3 * AHEAD):
            self.source.put(number)
        self.source.put(None)

        self.assertEqual(await self.rest(self.reading()), list(range(3 * AHEAD)))

    async def test_nothing_there_yet(self) -> None:
        """Where nothing is there yet, what is given fires when there is something."""
        reading = self.reading()
        arrival = next(reading)
        assert isinstance(arrival, Deferred)
        self.assertNoResult(arrival)
        self.source.put(7)
        await arrival

        self.assertEqual(next(reading), 7)

    async def test_error(self) -> None:
        """What reading raises is raised after the items before it, and then it is over."""
        self.source.put(7)
        self.source.put(ValueError("on purpose"))
        found: list[int] = []
        reading = self.reading()
        with self.assertRaises(ValueError):
            for item in reading:
                if isinstance(item, Deferred):
                    await item
                else:
                    found.append(item)

        self.assertEqual(found, [7])
        self.assertEqual(await self.rest(reading), [])

    async def test_no_longer_awaited(self) -> None:
        """What is given may be cancelled, and the items that come then are not lost."""
        reading = self.reading()
        arrival = next(reading)
        assert isinstance(arrival, Deferred)
        arrival.cancel()
        self.failureResultOf(arrival, CancelledError)
        self.source.put(7)
        self.source.put(None)

        self.assertEqual(await self.rest(reading), [7])
