"""Statements and commits that fail at every point in turn, and what a process makes of it."""

from __future__ import annotations

from functools import partial

from tests.durable import ON_SERVERS, DurableTests, on_stores
from tests.killing.shop import KEYWORDS, Call, Shop
from tests.test_crash_points import ORDERS, check
from twisted_dispatcher import DurableDispatcher, errors
from twisted_dispatcher.testing.stores.crashes import CrashPoint, ProcessDied


class Stumbling(CrashPoint):
    """Has what is done at one point fail, once; the process lives on."""

    def __init__(self, nth: int, mishap: Exception) -> None:
        super().__init__(nth)
        self._mishap = mishap

    def __call__(self, point: str) -> None:
        """Pass a point, or fail there."""
        try:
            super().__call__(point)
        except ProcessDied:
            raise self._mishap from None


class StumblingTests(DurableTests):
    """Statements and commits that fail at every point in turn, in a process that lives on."""

    timeout = 600

    async def accepted(self, dispatcher: DurableDispatcher, key: str) -> None:
        """Accept an order, again and again until it is accepted."""
        for _ in range(3):
            try:
                await self.result(dispatcher.accept_event(key, key=key, kind="order", user="bob"))
                return
            except errors.StoreUnavailable:
                continue
        self.fail(f"{key} was not accepted")

    async def test_every_point(self) -> None:
        """Whatever statement or commit fails, once, everything is handled as it was promised."""
        every = 7 if ON_SERVERS else 1
        number = passed = 1
        while number <= passed:
            calls, stumbling = list[Call](), Stumbling(number, self.backend.mishap())
            self.url = self.backend.new_url(self)
            link = self.connect()
            link.store.on_point = stumbling  # type: ignore[attr-defined]
            dispatcher = self.make(*KEYWORDS, link=link, order_by=("user",))
            Shop(calls.append, self.clock, 0.2).setup(dispatcher)
            await self.start(dispatcher)
            for key in ORDERS:
                await self.accepted(dispatcher, key)
            await self.until_settled(dispatcher)
            await self.result(dispatcher.stop())

            said = f"failed at point {number}, {stumbling.passed[number - 1 : number]}"
            check(calls, partial(self.backend.query, self.url), said)
            link.cut()
            await link.store.close()
            self.flushLoggedErrors(errors.StoreUnavailable)
            number, passed = number + every, len(stumbling.passed)
        self.assertTrue(number > 80, number)


globals().update(on_stores(StumblingTests, that_outlive=True))
