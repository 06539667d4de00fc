"""
Three weeks in the life of the shop, on a clock that is moved by hand.

Ada leaves her cart and never comes back. Bob buys when he is reminded. Cleo buys at once. Dan
changes his mind on the fifth day, and so is reminded later.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import attrs
from twisted.internet.task import Clock

from examples.abandoned_cart.mailing import Mailer
from examples.abandoned_cart.shop import Shop
from examples.abandoned_cart.sink import Inbox, Sink
from examples.abandoned_cart.transitions import CHAIN_TYPE, chain_configs
from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.chains import Chain, ChainDispatcher

OPENING = datetime(2026, 3, 2, tzinfo=timezone.utc)
DAY = 86400.0
# So far the clock is moved at a time.
LEAP = DAY / 4


@attrs.frozen
class Told:
    """
    What has happened.

    :ivar mails: the day, the recipient and the subject of each mail.
    :ivar states: the state in which each cart's chain is at the end, by the customer.
    :ivar watched: the states that a handler of the dispatcher was told of, in order.
    :ivar histories: the transitions that each chain has made, by the customer.
    :ivar graph: the states and transitions, with the numbers of chains.
    """

    mails: list[tuple[float, str, str]]
    states: dict[str, str]
    watched: list[str]
    histories: dict[str, list[str]]
    graph: str


class Play:
    """The shop with all that it needs, and its time."""

    def __init__(self, reactor: Any, port: int, store_url: str) -> None:
        self.clock = clock = Clock()
        clock.advance(OPENING.timestamp())
        self.shop = Shop(clock)
        self.watched: list[str] = []
        self.carts: dict[str, Chain] = {}
        self._mailer = Mailer("127.0.0.1", port, reactor, self.shop.now)
        self._store = open_store(store_url, reactor=clock)
        self.dispatcher = DurableDispatcher(self._store, ("chain_type", "state"), clock=clock)
        self.dispatcher.on(chain_type=CHAIN_TYPE)(self.watch)
        self.chains = ChainDispatcher(
            chain_type=CHAIN_TYPE,
            chain_configs=chain_configs(self.shop),
            requests_by="cart_abandonment_scripts",
            dispatcher=self.dispatcher,
        )

    def watch(self, event: Any) -> None:
        """Take note of a state that a chain has come to."""
        self.watched.append(event.type)

    async def start(self) -> None:
        """Begin to execute chains that are due."""
        self.dispatcher.start()
        self.chains.start(callback=self._mailer.send)
        await self.settle()
        await self.chains.when_ready()

    async def stop(self) -> None:
        """End what was begun."""
        for stop in (self.chains.stop, self.dispatcher.stop, self._store.close):
            stopping = stop()
            await self.settle()
            await stopping

    async def leave_cart(self, name: str) -> None:
        """Somebody puts something into a cart, for which there is a chain from then on."""
        booking = self.shop.fill_cart(f"booking-{name}", f"{name}@example.org")
        asking = self.chains.get_or_create_chain(
            [("online_booking", booking.id), ("customer", name)]
        )
        await self.settle()
        self.carts[name] = await asking

    async def let_pass(self, days: float) -> None:
        """Let time pass."""
        end = self.clock.seconds() + days * DAY
        while self.clock.seconds() < end:
            self.clock.advance(min(LEAP, end - self.clock.seconds()))
            await self.settle()

    async def settle(self) -> None:
        """Have done what is to be done now, and wait for the mails that are under way."""
        while True:
            if not self._mailer.is_idle:
                await self._mailer.when_idle()
            elif any(call.getTime() <= self.clock.seconds() for call in self._calls()):
                self.clock.advance(0)
            else:
                return

    def _calls(self) -> Any:
        return self.clock.getDelayedCalls()

    async def ask(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        """Give an answer of the chains."""
        asking = ask(*arguments)
        await self.settle()
        return await asking


async def play(reactor: Any, store_url: str = "sqlite://") -> Told:
    """Let the story happen, and tell what came of it."""
    async with _inbox(reactor) as (inbox, port):
        shown = Play(reactor, port, store_url)
        await shown.start()
        await _happen(shown)
        told = await _tell(shown, inbox)
        await shown.stop()
    return told


async def _happen(shown: Play) -> None:
    for name in ("ada", "bob", "cleo", "dan"):
        await shown.leave_cart(name)
    await shown.let_pass(0.5)
    shown.shop.pay("booking-cleo")
    await shown.let_pass(2.5)
    shown.shop.pay("booking-bob")
    await shown.let_pass(2)
    shown.shop.fill_cart("booking-dan", "dan@example.org")
    await shown.let_pass(16)


async def _tell(shown: Play, inbox: Inbox) -> Told:
    states, histories = {}, {}
    for name, chain in shown.carts.items():
        now = await shown.ask(shown.chains.get_chain, chain.id)
        states[name] = now.state
        entries = await shown.ask(shown.chains.history, chain.id)
        histories[name] = [each.transition for each in entries]
    counts = await shown.ask(shown.chains.counts)
    return Told(
        sorted((_day_of(mail), mail["To"], mail["Subject"]) for mail in inbox.mails),
        states,
        shown.watched,
        histories,
        shown.chains.graph(counts),
    )


def _day_of(mail: Any) -> float:
    passed = parsedate_to_datetime(mail["Date"]) - OPENING
    return passed.total_seconds() / DAY


@asynccontextmanager
async def _inbox(reactor: Any) -> AsyncIterator[tuple[Inbox, int]]:
    """Run a mail server on the loopback interface."""
    inbox = Inbox()
    sink = Sink(inbox)
    listening = reactor.listenTCP(0, sink, interface="127.0.0.1")
    try:
        yield inbox, listening.getHost().port
    finally:
        await listening.stopListening()
        await sink.when_empty()
