"""Replaying and skipping in the admin, through a store on a connection of its own."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client, TransactionTestCase
from django.urls import reverse

from tests.django_project.stored import delivery_of, store_event
from twisted_dispatcher.django import running
from twisted_dispatcher.django.models import Delivery


def page(model: str, kind: str, *parts: Any) -> str:
    """Give the address of a page of the admin."""
    return str(reverse(f"admin:twisted_dispatcher_{model}_{kind}", args=parts))


class MendingTests(TransactionTestCase):
    """A user who may see, replay and skip deliveries."""

    def setUp(self) -> None:
        """Log in; stop afterwards what has been started to reach the store."""
        self.addCleanup(running.stop)
        self.user = User.objects.create_user("ann", is_staff=True)
        self.allow("view_event", "view_delivery", "replay_delivery", "skip_delivery")
        self.client.force_login(self.user)

    def allow(self, *names: str) -> None:
        """Give the user these permissions and no others."""
        self.user.user_permissions.set(Permission.objects.filter(codename__in=names))

    def press(
        self, delivery: Delivery, what: str, client: Client | None = None, **data: str
    ) -> Any:
        """Press a button of a delivery."""
        client = client or self.client
        return client.post(page("delivery", "mend", delivery.pk, what), data)

    def act(self, action: str, *deliveries: Delivery) -> Any:
        """Choose an action in the list of dead letters."""
        chosen = {"action": action, "_selected_action": [each.pk for each in deliveries]}
        return self.client.post(page("deadletter", "changelist"), chosen)

    def status(self, delivery: Delivery) -> str:
        """Give the status that a delivery has now."""
        return str(Delivery.objects.get(pk=delivery.pk).status)

    def told(self, answer: Any) -> list[str]:
        """Give the messages that the next page shows."""
        return [str(each) for each in get_messages(answer.wsgi_request)]

    def test_replay(self) -> None:
        """A dead delivery is pending again; the page says so, and so does the history."""
        dead = delivery_of(store_event("shop_1", "done", "dead"), "dead")

        answer = self.press(dead, "replay")

        self.assertEqual("pending", self.status(dead))
        self.assertRedirects(answer, page("delivery", "change", dead.pk))
        told = f"Delivery {dead.pk} to shop.handler1: it is to be run again."
        self.assertEqual([told], self.told(answer))
        self.assertEqual(
            1, LogEntry.objects.filter(user=self.user, object_id=str(dead.pk)).count()
        )

    def test_name(self) -> None:
        """A handler's name is told as it is, with its capital letters."""
        dead = delivery_of(store_event("shop_1", "dead"), "dead")
        Delivery.objects.filter(pk=dead.pk).update(handler="shop.Mailer.sendBill")

        (told,) = self.told(self.press(dead, "replay"))

        self.assertIn(f"Delivery {dead.pk} to shop.Mailer.sendBill: ", told)

    def test_skip(self) -> None:
        """A delivery that waits is given up; the way leads back to the page of the event."""
        event = store_event("shop_1", "pending")
        pending = delivery_of(event, "pending")

        answer = self.press(pending, "skip", back="event")

        self.assertEqual("skipped", self.status(pending))
        self.assertRedirects(answer, page("event", "change", event.pk))

    def test_action(self) -> None:
        """What is chosen in the list is replayed, and one message tells of all."""
        dead = [delivery_of(store_event(f"shop_{each}", "dead"), "dead") for each in range(3)]

        answer = self.act("replay", *dead[:2])

        self.assertEqual(["pending", "pending", "dead"], [self.status(each) for each in dead])
        self.assertEqual(["2 deliveries: they are to be run again."], self.told(answer))

    def test_wrong_status(self) -> None:
        """What cannot be done is told, with the reason, and nothing has changed."""
        pending = delivery_of(store_event("shop_1", "pending"), "pending")

        answer = self.press(pending, "replay")

        self.assertEqual("pending", self.status(pending))
        (told,) = self.told(answer)
        self.assertIn("shop.handler0", told)
        self.assertIn("pending", told)

    def test_payload_gone(self) -> None:
        """A delivery whose payload was deleted cannot be replayed, and the page says why."""
        dead = delivery_of(store_event("shop_1", "dead", body=None), "dead")

        answer = self.press(dead, "replay")

        self.assertEqual("dead", self.status(dead))
        self.assertEqual(1, len(self.told(answer)))

    def test_permissions(self) -> None:
        """Each of the two needs its own permission, for buttons and for actions."""
        dead = delivery_of(store_event("shop_1", "dead"), "dead")
        self.allow("view_event", "view_delivery", "skip_delivery")

        self.assertEqual(403, self.press(dead, "replay").status_code)
        self.act("replay", dead)
        self.assertEqual("dead", self.status(dead))

        answer = self.client.get(page("delivery", "change", dead.pk)).content.decode()
        self.assertNotIn("mend/replay/", answer)
        self.assertIn("mend/skip/", answer)

    def test_only_posted(self) -> None:
        """A link changes nothing, and a form of another site does not either."""
        dead = delivery_of(store_event("shop_1", "dead"), "dead")
        stranger = Client(enforce_csrf_checks=True)
        stranger.force_login(self.user)

        answer = self.client.get(page("delivery", "mend", dead.pk, "replay"))
        self.assertEqual(405, answer.status_code)
        self.assertEqual(403, self.press(dead, "replay", stranger).status_code)
        self.assertEqual("dead", self.status(dead))

    def test_page_has_token(self) -> None:
        """The buttons of an event's page belong to a form with a token, which is let through."""
        event = store_event("shop_1", "dead")
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(self.user)
        shown = browser.get(page("event", "change", event.pk))

        token = shown.context["csrf_token"]
        answer = self.press(
            delivery_of(event, "dead"), "replay", browser, csrfmiddlewaretoken=str(token)
        )

        self.assertIn('<form id="buttons" method="post">', shown.content.decode())
        self.assertIn('form="buttons"', shown.content.decode())
        self.assertEqual(302, answer.status_code)

    def test_atomic_requests(self) -> None:
        """With ATOMIC_REQUESTS the store's connection does not wait for the request's own."""
        dead = delivery_of(store_event("shop_1", "dead"), "dead")

        with patch.dict(connection.settings_dict, ATOMIC_REQUESTS=True):
            self.press(dead, "replay")

        self.assertEqual("pending", self.status(dead))

    def test_nothing(self) -> None:
        """There is no page for what cannot be done, nor for a delivery that is not there."""
        dead = delivery_of(store_event("shop_1", "dead"), "dead")

        self.assertEqual(404, self.press(dead, "explode").status_code)
        dead.pk += 1
        self.assertEqual(404, self.press(dead, "replay").status_code)
