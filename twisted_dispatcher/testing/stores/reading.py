"""Reading: what operators and the rest of the package ask."""

from __future__ import annotations

from twisted_dispatcher.errors import UnknownDelivery
from twisted_dispatcher.records import (
    DEAD,
    DONE,
    PENDING,
    RETRYING,
    RUNNING,
    SKIPPED,
    StoredEvent,
    Worker,
)
from twisted_dispatcher.testing.stores.scene import NOW, Scene, new_event, unplanned_event

PRODUCER = Worker("producer", frozenset())


class ReadingContract(Scene):
    """All queries."""

    async def variety(self) -> dict[str, int]:
        """Have deliveries of every status; give their ids."""
        claims = await self.claims_of(new_event("k1", "a b c", "d"))
        await self.settle(claims["a"], DONE)
        await self.settle(claims["b"], RETRYING, due=NOW + 5, error="boom")
        dead = await self.claims_of(new_event("k2", "e", "f"))
        await self.settle(dead["e"], DEAD, error="bang", stops=True)
        await self.accept_one(new_event("k3", "g", due=NOW + 9))
        return {each.handler: each.id for each in await self.store.deliveries()}

    async def test_delivery(self) -> None:
        """A delivery is found by its id, and an unknown one is not."""
        ids = await self.variety()

        self.assertEqual("k2", (await self.store.delivery(ids["f"])).key)
        error = await self.failure_of(self.store.delivery(4711), UnknownDelivery)
        self.assertEqual(4711, error.delivery_id)

    async def test_deliveries(self) -> None:
        """All deliveries are listed, the newest first, up to a limit."""
        await self.variety()
        listed = await self.store.deliveries()

        self.assertEqual(list("gfedcba"), [each.handler for each in listed])
        self.assertEqual(listed[:3], await self.store.deliveries(limit=3))
        self.assertEqual([], await self.store.deliveries(limit=0))

    async def test_deliveries_by_status(self) -> None:
        """Deliveries are listed by each status."""
        await self.variety()
        expected = {
            DONE: "a",
            RETRYING: "b",
            RUNNING: "c",
            PENDING: "gd",
            DEAD: "e",
            SKIPPED: "f",
        }

        for status, names in expected.items():
            listed = await self.store.deliveries(status=status)
            self.assertEqual(list(names), [each.handler for each in listed])
            self.assertEqual({status}, {each.status for each in listed})

    async def test_deliveries_by_unknown_status(self) -> None:
        """There are no deliveries of a status that is none."""
        await self.variety()

        self.assertEqual([], await self.store.deliveries(status="finished"))

    async def test_deliveries_by_key(self) -> None:
        """Deliveries are listed by the key of their event."""
        await self.variety()

        listed = await self.store.deliveries(key="k1")
        self.assertEqual(list("dcba"), [each.handler for each in listed])
        listed = await self.store.deliveries(key="k1", status=DONE)
        self.assertEqual(["a"], [each.handler for each in listed])
        self.assertEqual([], await self.store.deliveries(key="k2", handler="a"))
        self.assertEqual([], await self.store.deliveries(key="unknown"))

    async def test_deliveries_by_handler(self) -> None:
        """Deliveries are listed by their handler, whatever has become of them."""
        ids = await self.variety()
        for handler in "abcdefg":
            (found,) = await self.store.deliveries(handler=handler)
            self.assertEqual(ids[handler], found.id)
            self.assertEqual(
                [found], await self.store.deliveries(handler=handler, status=found.status)
            )
        self.assertEqual([], await self.store.deliveries(handler="unknown"))
        self.assertEqual([], await self.store.deliveries(handler="a", status=DEAD))

    async def test_deliveries_by_handler_in_order(self) -> None:
        """Deliveries by handler are the newest ones of all statuses, in order."""
        for n in range(6):
            claims = await self.claims_of(new_event(f"k{n}", "a"))
            if n % 2:
                await self.settle(claims["a"], DONE if n == 1 else DEAD)

        listed = await self.store.deliveries(handler="a", limit=5)
        self.assertEqual(["k5", "k4", "k3", "k2", "k1"], [each.key for each in listed])

    async def test_deliveries_of(self) -> None:
        """The deliveries of an event are listed in the order in which they were given."""
        accepted = await self.accept_one(new_event("k", "a b", "c"))
        listed = await self.store.deliveries_of(accepted.acceptance.event_id)

        self.assertEqual(["a", "b", "c"], [each.handler for each in listed])
        self.assertEqual([], await self.store.deliveries_of(4711))

    async def test_body_of(self) -> None:
        """The body of a delivery's event is found by the delivery."""
        claims = await self.claims_of(new_event("k", "a", body='"this"'))

        self.assertEqual('"this"', await self.store.body_of(claims["a"].delivery_id))
        await self.failure_of(self.store.body_of(4711), UnknownDelivery)

    async def test_event(self) -> None:
        """An event is listed with all that is known of it."""
        claims = await self.claims_of(new_event("k", "a", lane="lane"))
        event_id = claims["a"].event_id
        new = StoredEvent(event_id, "k", '"body"', '{"n":1}', "lane", NOW, NOW, True, None)

        self.assertEqual([new], await self.store.events())
        await self.settle(claims["a"], now=NOW + 7)
        (settled,) = await self.store.events()
        self.assertEqual((event_id, NOW + 7), (settled.id, settled.settled))

    async def test_unplanned_event(self) -> None:
        """An event that waits to be planned says so."""
        await self.accept_one(unplanned_event("k", due=NOW + 5), PRODUCER)
        (event,) = await self.store.events()

        self.assertEqual((False, NOW + 5, None), (event.planned, event.due, event.settled))

    async def test_event_for_nobody(self) -> None:
        """An event that goes to nobody is planned, and settled since it was accepted."""
        await self.accept_one(new_event("k"), now=NOW + 3)
        (event,) = await self.store.events()

        self.assertEqual((True, NOW + 3), (event.planned, event.settled))

    async def test_events(self) -> None:
        """Events are listed by ids, by keys, and by whether they are open, the newest first."""
        await self.variety()
        await self.accept_one(unplanned_event("k4"), PRODUCER)
        ids = {each.key: each.id for each in await self.store.events()}
        cases = [
            ({}, ["k4", "k3", "k2", "k1"]),
            ({"limit": 2}, ["k4", "k3"]),
            ({"ids": [ids["k1"], ids["k3"], 4711]}, ["k3", "k1"]),
            ({"ids": []}, []),
            ({"keys": ["k2", "unknown"]}, ["k2"]),
            ({"keys": []}, []),
            ({"open": True}, ["k4", "k3", "k1"]),
            ({"open": False}, ["k2"]),
            ({"open": True, "keys": ["k1", "k2"]}, ["k1"]),
        ]

        for conditions, expected in cases:
            listed = await self.store.events(**conditions)  # type: ignore[arg-type]
            self.assertEqual(expected, [each.key for each in listed], conditions)

    async def test_settled(self) -> None:
        """It is told which of some events have nothing left to do."""
        await self.variety()
        await self.accept_one(unplanned_event("k4"), PRODUCER)
        ids = {each.key: each.id for each in await self.store.events()}

        self.assertEqual(frozenset({ids["k2"]}), await self.store.settled([*ids.values()]))
        self.assertEqual(frozenset(), await self.store.settled([]))
        self.assertEqual(frozenset({4711}), await self.store.settled([4711, ids["k1"]]))

    async def test_counts(self) -> None:
        """What needs attention is counted."""
        await self.variety()
        await self.accept_one(unplanned_event("k4"), PRODUCER)
        expected = {PENDING: 2, RUNNING: 1, RETRYING: 1, DEAD: 1, SKIPPED: 1, "open": 3}

        self.assertEqual(expected, dict(await self.store.counts()))

    async def test_counts_of_nothing(self) -> None:
        """In an empty store everything is counted as none."""
        self.assertEqual({0}, set((await self.store.counts()).values()))

    async def test_read_what_was_just_written(self) -> None:
        """What is asked after something was answered knows of it."""
        accepted = await self.accept_one(new_event("k", "a"))
        listed = self.store.deliveries_of(accepted.acceptance.event_id)

        self.assertEqual(1, len(await listed))
