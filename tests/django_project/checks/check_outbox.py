"""Recording on Django's own connection."""

from __future__ import annotations

from typing import Any
from unittest import mock

from django.db import connection, connections, transaction
from django.test import TestCase, TransactionTestCase, override_settings

from tests.django_project.checks.recording import FLUSHED, keys, unplanned
from tests.django_project.club.models import Member
from twisted_dispatcher.django import outbox
from twisted_dispatcher.django.models import Event, LaneEvent, OpenEvent
from twisted_dispatcher.durable.codec import default_codec
from twisted_dispatcher.errors import InvalidDeclaration, InvalidKey, NotEncodable
from twisted_dispatcher.sources import event


def lanes() -> list[str]:
    """Give the lanes in which events stand, in their order."""
    if connection.vendor == "postgresql":
        rows = OpenEvent.objects.exclude(lane=None).order_by("id")
    else:
        rows = LaneEvent.objects.order_by("event_id")
    return list(rows.values_list("lane", flat=True))


class RecordTests(TestCase):
    """What is stored of an event."""

    def test_row(self) -> None:
        """An event is stored under its key, with its group in the details, and unplanned."""
        [recorded] = outbox.record([event("joined", 1, {"who": "Ada"})])

        self.assertTrue(recorded.is_new)
        row = Event.objects.get()
        self.assertEqual(recorded.event_id, row.id)
        self.assertEqual("joined_1", row.key)
        self.assertEqual({"group": "joined"}, default_codec.decode(row.details))
        self.assertEqual("Ada", default_codec.decode(row.body)["who"])
        self.assertIsNone(row.first_delivery)
        self.assertIsNone(row.lane)
        self.assertEqual(["joined_1"], unplanned())

    def test_known(self) -> None:
        """A key is recorded once; the second time its id is told."""
        [first] = outbox.record([event("joined", 1)])
        [second] = outbox.record([event("joined", 1)])

        self.assertFalse(second.is_new)
        self.assertEqual(first.event_id, second.event_id)
        self.assertIsNone(second.collision)
        self.assertEqual(["joined_1"], keys())
        self.assertEqual(["joined_1"], unplanned())

    def test_many(self) -> None:
        """Of many events those are recorded that are new, in the order in which they came."""
        outbox.record([event("joined", 7), event("joined", 3)])
        numbers = [250, *range(250)]

        recorded = outbox.record(event("joined", number) for number in numbers)

        new = [each.event.key for each in recorded if each.is_new]
        expected = [f"joined_{n}" for n in dict.fromkeys(numbers) if n not in (3, 7)]
        self.assertEqual(expected, new)
        self.assertEqual(["joined_7", "joined_3", *expected], keys())
        self.assertEqual(keys(), unplanned())
        ids = dict(Event.objects.values_list("key", "id"))
        self.assertEqual(
            [ids[each.event.key] for each in recorded],
            [each.event_id for each in recorded],
        )

    def test_twice_in_one_call(self) -> None:
        """A key that comes twice in one call is recorded once."""
        first, second = outbox.record([event("joined", 1), event("joined", 1)])

        self.assertTrue(first.is_new)
        self.assertFalse(second.is_new)
        self.assertEqual(first.event_id, second.event_id)

    def test_collision(self) -> None:
        """The key of an event of another group is told as a collision, and nothing is recorded."""
        outbox.record([event("a", "1_2")])

        [known, collision] = outbox.record([event("a", "1_2"), event("a_1", 2)])

        self.assertIsNone(known.collision)
        error = collision.collision
        assert error is not None
        self.assertEqual(("a_1_2", "a_1", "a"), (error.key, error.group, error.known_group))
        self.assertEqual(["a_1_2"], keys())

    def test_collision_in_one_call(self) -> None:
        """Keys collide within one call as well."""
        first, second = outbox.record([event("a", "1_2"), event("a_1", 2)])

        self.assertTrue(first.is_new)
        self.assertIsNotNone(second.collision)

    def test_nothing(self) -> None:
        """To record nothing asks nothing of the database."""
        with self.assertNumQueries(0):
            self.assertEqual([], outbox.record([]))

    def test_one_statement(self) -> None:
        """An event takes one statement, on SQLite a second one when it is known."""
        with self.assertNumQueries(1):
            outbox.record([event("joined", 1)])
        with self.assertNumQueries(1 if connection.vendor == "postgresql" else 2):
            outbox.record([event("joined", 1)])

    def test_group_is_text(self) -> None:
        """Quotes, percents and other letters are stored as they are."""
        group = 'it\'s 100% "new" \\ ünïcödé 🎁 %s ?'

        outbox.record([event(group, "x"), event(group, "y")])

        self.assertEqual([f"{group}_x", f"{group}_y"], keys())


class RefusedTests(TestCase):
    """What is not recorded."""

    def assertRefused(self, error: type[Exception], *events: Any) -> str:
        """Fail unless some events are refused, all of them; give the message."""
        with self.assertRaises(error) as caught:
            outbox.record([event("good", 1), *events])
        self.assertEqual([], keys())
        return str(caught.exception)

    def test_not_declared(self) -> None:
        """What lacks a group or a key declares no event."""
        self.assertRefused(InvalidDeclaration, {"group": "a"})
        self.assertRefused(InvalidDeclaration, {"key": "a"})
        self.assertRefused(InvalidDeclaration, None)

    def test_not_encodable(self) -> None:
        """A context that cannot be written down is refused with the path to the culprit."""
        error = self.assertRefused(NotEncodable, event("a", 1, {"of": [1, {"it": object()}]}))

        self.assertIn('context["of"][1]["it"] is of type', error)

    def test_unsaved(self) -> None:
        """A model that is not saved cannot be found again, and is refused with its path."""
        error = self.assertRefused(NotEncodable, event("a", 1, {"member": Member(name="Ada")}))

        self.assertIn('context["member"] is of type club.Member and not saved', error)

    def test_keys(self) -> None:
        """A key that some database cannot hold is refused, on all of them."""
        self.assertRefused(InvalidKey, {"group": "a", "key": "x" * 501})
        self.assertRefused(NotEncodable, {"group": "a", "key": "a\0b"})
        self.assertRefused(NotEncodable, {"group": "a", "key": "a\ud800b"})


class LanesTests(TestCase):
    """Events that are handled in order."""

    @override_settings(TWISTED_DISPATCHER={"ORDER_BY": ["group"]})
    def test_lanes(self) -> None:
        """The events of a group stand in its lane."""
        outbox.record([event("b", 2), event("a", 1), event("b", 1)])
        outbox.record([event("a", 0)])

        found = lanes()
        self.assertEqual(4, len(found))
        self.assertEqual(found[0], found[2])
        self.assertEqual(found[1], found[3])
        self.assertNotEqual(found[0], found[1])
        self.assertEqual(["b_2", "a_1", "b_1", "a_0"], keys())

    @override_settings(TWISTED_DISPATCHER={"ORDER_BY": []})
    def test_one_lane(self) -> None:
        """With no keyword at all, all events stand in one lane."""
        outbox.record([event("b", 2), event("a", 1)])

        self.assertEqual(1, len(set(lanes())))


class TransactionsTests(TransactionTestCase):
    """Transactions that are open, and those that are not."""

    available_apps = FLUSHED
    databases = ("default", "other")

    def test_autocommit(self) -> None:
        """Where no transaction is open, what is recorded is there at once, or not at all."""
        outbox.record([event("joined", 1)])
        self.assertEqual(["joined_1"], keys())

        with mock.patch.object(outbox, "_told", side_effect=ZeroDivisionError):
            self.assertRaises(ZeroDivisionError, outbox.record, [event("joined", 2)])
        self.assertEqual(["joined_1"], keys())

    def test_rolled_back(self) -> None:
        """What is rolled back has never happened, and may happen again."""
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            outbox.record([event("joined", 1)])
            raise ZeroDivisionError

        self.assertEqual([], keys())
        [again] = outbox.record([event("joined", 1)])
        self.assertTrue(again.is_new)
        self.assertEqual(["joined_1"], unplanned())

    def test_savepoint(self) -> None:
        """What happens within a savepoint goes with it, and what happens outside stays."""
        with transaction.atomic():
            outbox.record([event("joined", 1)])
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                outbox.record([event("joined", 2)])
                raise ZeroDivisionError
            outbox.record([event("joined", 3)])

        self.assertEqual(["joined_1", "joined_3"], keys())
        self.assertEqual(["joined_1", "joined_3"], unplanned())

    def test_manual(self) -> None:
        """Where transactions are begun by hand, the event is in the one that is open."""
        transaction.set_autocommit(False)
        try:
            outbox.record([event("joined", 1)])
            transaction.rollback()
            self.assertEqual([], keys())
            outbox.record([event("joined", 2)])
            transaction.commit()
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)

        self.assertEqual(["joined_2"], keys())

    def test_select_for_update(self) -> None:
        """Events can be recorded while rows are locked."""
        member = Member.objects.create(name="Ada")
        with transaction.atomic():
            Member.objects.select_for_update().get(pk=member.pk)
            outbox.record([event("joined", member.pk)])

        self.assertEqual([f"joined_{member.pk}"], keys())

    def test_other_database(self) -> None:
        """What happens in another database is recorded after its commit, and told as later."""
        with transaction.atomic(using="other"):
            [recorded] = outbox.record([event("joined", 1)], using="other")
            self.assertIsNone(recorded.acceptance)
            self.assertEqual([], keys())
        self.assertEqual(["joined_1"], keys())

        with self.assertRaises(ZeroDivisionError), transaction.atomic(using="other"):
            outbox.record([event("joined", 2)], using="other")
            raise ZeroDivisionError
        self.assertEqual(["joined_1"], keys())

    def test_followers(self) -> None:
        """Who follows is told of what is new, in its transaction."""
        told: list[Any] = []

        def follower(recorded: Any, using: str) -> None:
            told.append((using, [each.event.key for each in recorded], keys()))
            self.assertTrue(connections[using].in_atomic_block)

        with mock.patch.object(outbox, "_followers", []):
            outbox.follow(follower)
            outbox.follow(follower)
            outbox.record([event("joined", 1), event("joined", 2)])
            outbox.record([event("joined", 1), event("joined", 3)])
            outbox.record([event("joined", 1)])

        self.assertEqual(
            [
                ("default", ["joined_1", "joined_2"], ["joined_1", "joined_2"]),
                ("default", ["joined_3"], ["joined_1", "joined_2", "joined_3"]),
            ],
            told,
        )

    def test_flushed(self) -> None:
        """A test finds nothing of what others have recorded: neither here nor in lanes."""
        self.assertEqual([], keys())
        self.assertEqual([], unplanned())
