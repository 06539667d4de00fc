"""The PostgreSQL store, and a dispatcher on it, when connections are cut within replies."""

from __future__ import annotations

import random
import socket
from collections import Counter
from typing import Any
from urllib.parse import quote

from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.postgresql import PostgreSQL
from tests.relay import Relay
from twisted_dispatcher import DurableDispatcher, HandlerOptions, open_store
from twisted_dispatcher.errors import StoreUnavailable

SEED = 20270116
EVENTS = 60
# Replies to what is asked for one event have this many bytes, more or less.
LONGEST_REPLY = 500


class CutTests(PostgreSQL, TestCase):
    """A dispatcher behind a relay."""

    timeout = 300

    def setUp(self) -> None:
        """Have a schema, and a relay to the server."""
        self.make_schema()
        self.sql.execute("CREATE TABLE booked (what TEXT)")
        info = self.sql.info
        if info.host.startswith("/"):
            self.relay = Relay(socket.AF_UNIX, f"{info.host}/.s.PGSQL.{info.port}")
        else:
            self.relay = Relay(socket.AF_INET, (info.host, info.port))
        self.addCleanup(self.relay.close)
        options = quote(f"-csearch_path={self.schema}", safe="")
        password = f":{quote(info.password, safe='')}" if info.password else ""
        self.relayed = (
            f"postgresql://{quote(info.user, safe='')}{password}@127.0.0.1:{self.relay.port}/"
            f"{quote(info.dbname, safe='')}?options={options}"
        )

    async def start(self) -> DurableDispatcher:
        """Start a dispatcher with a handler of each guarantee but at most once."""
        store = open_store(self.relayed)
        dispatcher = DurableDispatcher(store)
        self.called: Counter[str] = Counter()

        def see(event: str) -> None:
            self.called[event] += 1

        def book(event: str, transaction: Any) -> None:
            transaction.execute("INSERT INTO booked VALUES (%s)", (event,))

        exactly_once = HandlerOptions(name="book", guarantee="exactly-once")
        handlers: tuple[tuple[Any, HandlerOptions], ...] = (
            (see, HandlerOptions(name="see")),
            (book, exactly_once),
        )
        for handler, options in handlers:
            dispatcher.on(options=options)(handler)
        dispatcher.start()
        await dispatcher.when_ready()
        self.addCleanup(store.close)
        self.addCleanup(dispatcher.stop)
        self.addCleanup(self.relay.cut_after, None)
        return dispatcher

    async def accept(self, dispatcher: DurableDispatcher, key: str) -> None:
        """Accept an event, again until it is known to be."""
        while True:
            try:
                await dispatcher.accept_event(key, key=key)
                return
            except StoreUnavailable:
                continue

    async def test_cut_in_replies(self) -> None:
        """Wherever a reply is cut off, nothing accepted is lost, and nothing is booked twice."""
        from twisted.internet import reactor

        dispatcher = await self.start()
        chance = random.Random(SEED)
        keys = [f"event {number}" for number in range(EVENTS)]
        for key in keys:
            self.relay.cut_after(chance.randrange(LONGEST_REPLY))
            await self.accept(dispatcher, key)
        self.relay.cut_after(None)
        open_events = "SELECT count(*) FROM twisted_dispatcher_open"
        while self.sql.execute(open_events).fetchone() != (0,):
            await deferLater(reactor, 0.05)

        self.assertGreater(self.relay.cuts, EVENTS // 10)
        booked = [what for (what,) in self.sql.execute("SELECT what FROM booked ORDER BY what")]
        self.assertEqual(sorted(keys), booked)
        self.assertEqual(set(keys), set(self.called))
        statuses = self.sql.execute(
            "SELECT status, count(*) FROM twisted_dispatcher_delivery GROUP BY status"
        )
        self.assertEqual([("done", 2 * EVENTS)], statuses.fetchall())
        self.flushLoggedErrors(StoreUnavailable)
