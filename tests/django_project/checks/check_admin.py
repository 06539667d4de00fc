"""The pages of the admin: what they show, to whom, and that they change nothing."""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import TestCase, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.django_project.stored import (
    THEN,
    delivery_of,
    store_chain,
    store_event,
    store_session,
)
from twisted_dispatcher.django import reading
from twisted_dispatcher.django.admin.looks import MOST_SHOWN
from twisted_dispatcher.django.admin.pages import NewestPages
from twisted_dispatcher.django.models import (
    Chain,
    DeadLetter,
    Delivery,
    Event,
    Instance,
    Session,
    Sweep,
)
from twisted_dispatcher.triggerrecords import ACTIVE, OPEN, WAITING

MODELS = (Event, Delivery, DeadLetter, Chain, Session, Instance)


def page(model: str, kind: str, *parts: Any) -> str:
    """Give the address of a page of the admin."""
    return str(reverse(f"admin:twisted_dispatcher_{model}_{kind}", args=parts))


class Pages(TestCase):
    """A user who may see all that the store has."""

    def setUp(self) -> None:
        """Log in."""
        self.user = User.objects.create_user("ann", is_staff=True)
        self.allow("view_event", "view_delivery", "view_chain", "view_session", "view_instance")
        self.client.force_login(self.user)

    def allow(self, *names: str) -> None:
        """Give the user permissions."""
        found = Permission.objects.filter(
            codename__in=names, content_type__app_label="twisted_dispatcher"
        )
        self.assertEqual(len(names), len(found))
        self.user.user_permissions.add(*found)

    def text(self, address: str, **query: str) -> str:
        """Give what a page says."""
        answer = self.client.get(address, query)
        self.assertEqual(200, answer.status_code, answer.content)
        return str(answer.content.decode())

    def keys(self, model: str, **query: str) -> list[Any]:
        """Give the primary keys of what a list has, in order."""
        answer = self.client.get(page(model, "changelist"), query)
        self.assertEqual(200, answer.status_code)
        return [row.pk for row in answer.context["cl"].result_list]


class NullTests(Pages):
    """Null characters, which no text in the store has."""

    def test_lists(self) -> None:
        """A list of what has one is refused."""
        for model, name in (
            ("event", "group"),
            ("delivery", "handler"),
            ("delivery", "status"),
            ("chain", "type"),
            ("session", "q"),
        ):
            with self.subTest(model, name=name):
                answer = self.client.get(page(model, "changelist"), {name: "a\0b"})
                self.assertEqual(400, answer.status_code)

    def test_row(self) -> None:
        """There is no row of that name."""
        answer = self.client.get(page("session", "change", "a\0b"))

        self.assertRedirects(answer, reverse("admin:index"))


class EventPagesTests(Pages):
    """Events."""

    def test_list(self) -> None:
        """The newest event stands first, with its group, local time, and how it stands."""
        store_event("shop_1", "done", "dead")
        store_event("shop_2", "done", "retrying")
        store_event("news_3", group="news")

        text = self.text(page("event", "changelist"))

        self.assertLess(text.index("news_3"), text.index("shop_1"))
        self.assertIn("settled, 1 dead", text)
        self.assertIn("open: 1 of 2 settled", text)
        self.assertIn("not planned", text)
        self.assertIn('<td class="field-group">news</td>', text)
        self.assertIn("2026-03-04 05:06:07 UTC", text)

    @override_settings(TIME_ZONE="Europe/Zurich")
    def test_local_time(self) -> None:
        """Times are those of the project's zone."""
        store_event("shop_1", "done")

        self.assertIn("2026-03-04 06:06:07 CET", self.text(page("event", "changelist")))

    def test_standing(self) -> None:
        """Events are found by how they stand."""
        dead = store_event("shop_1", "done", "dead").pk
        going = store_event("shop_2", "running").pk
        new = store_event("shop_3").pk
        done = store_event("shop_4", "done").pk

        self.assertEqual([new, going], self.keys("event", standing="open"))
        self.assertEqual([done, dead], self.keys("event", standing="settled"))
        self.assertEqual([dead], self.keys("event", standing="dead"))

    def test_accepted(self) -> None:
        """Events are found by when they were accepted."""
        now = time.time()
        for days in (100, 20, 3, 0.5 / 24):
            store_event(f"shop_{days}", "done", accepted=now - days * 86400)

        self.assertEqual([4], self.keys("event", accepted="hour"))
        self.assertEqual([4, 3], self.keys("event", accepted="week"))
        self.assertEqual([4, 3, 2], self.keys("event", accepted="month"))

    def test_group(self) -> None:
        """Events are found by their group, which is one of those that there are."""
        store_event("shop_1", "done")
        news = store_event("news_2", "done", group="news").pk

        self.assertIn("?group=news", self.text(page("event", "changelist")))
        self.assertEqual([news], self.keys("event", group="news"))

    def test_search(self) -> None:
        """Events are found by their key, or by a part of it."""
        first, second = (store_event(f"shop_{number}", "done").pk for number in (1, 12))

        self.assertEqual([first], self.keys("event", q="shop_1"))
        self.assertEqual([second], self.keys("event", q="p_12"))

    def test_page(self) -> None:
        """A page has the payload, all deliveries, and why they stand as they do."""
        event = store_event("shop_1", "dead", "pending")

        text = self.text(page("event", "change", event.pk))

        self.assertIn("&quot;note&quot;: &quot;&lt;i&gt;&quot;", text)
        self.assertIn("ValueError: &lt;b&gt;no&lt;/b&gt; mail", text)
        self.assertIn("no worker that is alive has registered the handler shop.handler1", text)
        self.assertNotIn("<i>", text)
        self.assertNotIn("<b>no", text)

    def test_payload_deleted(self) -> None:
        """A payload that was deleted is said to be so."""
        event = store_event("shop_1", "done", body=None)

        self.assertIn("It was deleted", self.text(page("event", "change", event.pk)))

    def test_large_payload(self) -> None:
        """Of a large payload the beginning is shown."""
        event = store_event("shop_1", "done", body=f'[1,"{"x" * MOST_SHOWN * 2}"]')

        text = self.text(page("event", "change", event.pk))

        self.assertLess(len(text), MOST_SHOWN * 3 // 2)
        self.assertIn("and 100,002 characters more", text)

    def test_without_driver(self) -> None:
        """Where the store's own questions cannot be asked, the page says so, and has the rest."""
        event = store_event("shop_1", "dead")
        chain = store_chain("c1")

        with patch.object(reading, "import_module", side_effect=ImportError):
            for address in (
                page("event", "change", event.pk),
                page("delivery", "change", event.first_delivery),
                page("chain", "change", chain.pk),
            ):
                self.assertIn("psycopg 3, which is not installed", self.text(address))
            self.assertIn("note", self.text(page("event", "change", event.pk)))


class DeliveryPagesTests(Pages):
    """Deliveries and dead letters."""

    def test_list(self) -> None:
        """A list has the last line of the traceback, and no payload."""
        store_event("shop_1", "dead")

        text = self.text(page("delivery", "changelist"))

        self.assertIn("ValueError: &lt;b&gt;no&lt;/b&gt; mail", text)
        self.assertNotIn("Traceback", text)

    def test_status(self) -> None:
        """Deliveries are found by each of the statuses."""
        statuses = ("pending", "running", "done", "retrying", "dead", "skipped")
        event = store_event("shop_1", *statuses)

        for status in statuses:
            self.assertEqual(
                [delivery_of(event, status).pk], self.keys("delivery", status=status), status
            )

    def test_handler(self) -> None:
        """Deliveries are found by their handler, with a status or without."""
        event = store_event("shop_1", "done", "dead")
        dead = [delivery_of(event, "dead").pk]

        self.assertEqual(dead, self.keys("delivery", handler="shop.handler1"))
        self.assertEqual(dead, self.keys("delivery", handler="shop.handler1", status="dead"))
        self.assertEqual([], self.keys("delivery", handler="shop.handler1", status="done"))

    def test_search(self) -> None:
        """Deliveries are found by the key of their event, by number, by a part of the handler."""
        first = store_event("shop_1", "done", "done")
        second = store_event("shop_2", "done")
        one, two = range(first.first_delivery, first.last_delivery + 1)

        self.assertEqual([two, one], self.keys("delivery", q="shop_1"))
        self.assertEqual([second.first_delivery], self.keys("delivery", q=f"{two + 1}"))
        self.assertEqual([two], self.keys("delivery", q="handler1"))

    def test_page(self) -> None:
        """A page has the traceback and the reason, and no payload."""
        event = store_event("shop_1", "dead")

        text = self.text(page("delivery", "change", delivery_of(event, "dead").pk))

        self.assertIn("Traceback (most recent call last):", text)
        self.assertIn("dead after 1 attempt", text)
        self.assertIn(page("event", "change", event.pk), text)
        self.assertNotIn("note", text)

    def test_dead_letters(self) -> None:
        """What is dead has a list of its own, and its handlers to choose from."""
        event = store_event("shop_1", "done", "dead")

        self.assertEqual([delivery_of(event, "dead").pk], self.keys("deadletter"))
        self.assertEqual([], self.keys("deadletter", handler="shop.handler0"))
        text = self.text(page("deadletter", "changelist"))
        self.assertNotIn("?handler=shop.handler0", text)
        self.assertIn("?handler=shop.handler1", text)


class ChainPagesTests(Pages):
    """Chains."""

    def test_list(self) -> None:
        """A list has what chains are about, and when they go on."""
        store_chain("c1", next_update=THEN, parked=True, failures=3)

        text = self.text(page("chain", "changelist"))

        self.assertIn("order=c1", text)
        self.assertIn("2026-03-04 05:06:07 UTC", text)
        self.assertIn("parked, failed 3 times", text)

    def test_filters(self) -> None:
        """Chains are found by type, state, times and flags."""
        now = time.time()
        past = store_chain("c1", next_update=now - 5, due=now - 5).pk
        soon = store_chain("c2", "paid", next_update=now + 60, due=None).pk
        late = store_chain("c3", "paid", next_update=now + 1e6, due=now + 1e6, parked=True).pk

        self.assertEqual([late, soon], self.keys("chain", state="paid"))
        self.assertEqual([late, soon, past], self.keys("chain", type="order"))
        self.assertEqual([past], self.keys("chain", next_update="past"))
        self.assertEqual([soon], self.keys("chain", next_update="hour"))
        self.assertEqual([late], self.keys("chain", next_update="later"))
        self.assertEqual([soon], self.keys("chain", due="none"))
        self.assertEqual([late], self.keys("chain", attention="parked"))

    def test_search(self) -> None:
        """Chains are found by their id and by their resources."""
        store_chain("c1")
        second = store_chain("c2").pk

        self.assertEqual([second], self.keys("chain", q="c2"))
        self.assertEqual([second], self.keys("chain", q="order=c2"))
        self.assertEqual([], self.keys("chain", q="order=c"))

    def test_page(self) -> None:
        """A page has the reason, the refusals, the traceback, and the history."""
        refusals = '{"<Paid>": ["no <em>money</em>"]}'
        chain = store_chain("c1", refusals=refusals, error="Traceback <x>", failures=1)

        text = self.text(page("chain", "change", chain.pk))

        self.assertIn("executing it has failed 1 times", text)
        self.assertIn("no &lt;em&gt;money&lt;/em&gt;", text)
        self.assertIn("Traceback &lt;x&gt;", text)
        self.assertIn("&lt;u&gt;Ann&lt;/u&gt;", text)
        self.assertIn("<td>Ordered</td>", text)


class SessionPagesTests(Pages):
    """Sessions and instances."""

    def test_sessions(self) -> None:
        """Sessions are found by how their uid begins; a page has tasks and open instances."""
        session = store_session("shop:1", ("failed", OPEN), ("finished", None))
        store_session("news:1")

        self.assertEqual([session.pk], self.keys("session", q="shop:"))
        text = self.text(page("session", "change", session.pk))
        self.assertIn("&quot;run&quot;: &quot;shop:mail&quot;", text)
        self.assertIn("&lt;s&gt;", text)
        self.assertIn("needs a decision", text)
        self.assertIn("mail#1", text)
        self.assertNotIn("mail#2", text)

    def test_instances(self) -> None:
        """Instances of all sessions are found by session, name, status and life."""
        lives = (("unstarted", WAITING), ("running", ACTIVE), ("finished", None))
        store_session("shop:1", *lives)
        store_session("shop:2", *lives)

        names = ["mail#3", "mail#2", "mail#1"]
        self.assertEqual(2 * names, self.keys("instance"))
        self.assertEqual(names, self.keys("instance", q="shop:1"))
        self.assertEqual(["mail#2", "mail#2"], self.keys("instance", q="mail#2"))
        self.assertEqual(["mail#2", "mail#2"], self.keys("instance", life="active"))
        self.assertEqual(["mail#3", "mail#3"], self.keys("instance", status="finished"))

    def test_too_great(self) -> None:
        """A number that no session can have is found nowhere, which is no failure."""
        address = page("instance", "changelist")
        greatest = "9" * 40
        for query in ("?session=", "?session__id__exact="):
            answer = self.client.get(f"{address}{query}{greatest}")
            self.assertIn(answer.status_code, (200, 302, 400))
        for address in (
            page("instance", "change", f"{greatest}_2Fmail_231"),
            page("delivery", "change", greatest),
        ):
            self.assertIn(self.client.get(address).status_code, (302, 404))

    def test_same_name(self) -> None:
        """Two instances of the same name, in two sessions, have a page each."""
        for uid, status in (("shop:1", "finished"), ("shop:2", "running")):
            store_session(uid, (status, None))

        text = self.text(page("instance", "changelist"))
        for session in Session.objects.all():
            address = page("instance", "change", f"{session.pk}_2Fmail_231")
            self.assertIn(address, text)
            self.assertIn(session.uid, self.text(address))


class SweepPagesTests(Pages):
    """Sweeps."""

    def test_list(self) -> None:
        """A list tells how far sweeps are, the last one that was heard of first."""
        self.allow("view_sweep")
        times = {"began": THEN, "changed": THEN}
        Sweep.objects.create(name="club.Member", seen=7, position='[1,"7"]', ended=THEN, **times)
        Sweep.objects.create(name="club.Gift", seen=3, position='[1,"3"]', **times)
        Sweep.objects.filter(name="club.Gift").update(changed=THEN + 1)

        self.assertEqual(["club.Gift", "club.Member"], self.keys("sweep"))
        self.assertIn("under way, or stopped", self.text(page("sweep", "changelist")))
        self.assertIn("2026-03-04 05:06:08 UTC", self.text(page("sweep", "changelist")))
        self.assertIn("club.Gift", self.text(page("sweep", "change", "club.Gift")))


class PermissionTests(Pages):
    """Who sees what."""

    def test_nothing_is_changed(self) -> None:
        """Nobody adds, changes or deletes a row of the store, not even a superuser."""
        self.client.force_login(User.objects.create_superuser("root"))
        rows: dict[type, Any] = {
            Event: store_event("shop_1", "dead").pk,
            Delivery: 1,
            DeadLetter: 1,
            Chain: store_chain("c1").pk,
            Session: store_session("s1", ("running", ACTIVE)).pk,
            Instance: f"{Session.objects.get().pk}_2Fmail_231",
        }

        for model in MODELS:
            name = model.__name__.lower()
            self.assertEqual(403, self.client.post(page(name, "add")).status_code)
            for kind in ("change", "delete"):
                answer = self.client.post(page(name, kind, rows[model]), {"post": "yes"})
                self.assertEqual(403, answer.status_code, (name, kind))

    def test_others_see_nothing(self) -> None:
        """Who has no permission sees neither a list nor a page."""
        event = store_event("shop_1", "dead")
        self.user.user_permissions.clear()

        for model in MODELS:
            answer = self.client.get(page(model.__name__.lower(), "changelist"))
            self.assertEqual(403, answer.status_code, model)
        self.assertEqual(403, self.client.get(page("event", "change", event.pk)).status_code)

    def test_payloads_are_for_those_who_see_events(self) -> None:
        """Who sees deliveries alone does not see what the event says."""
        event = store_event("shop_1", "dead")
        self.user.user_permissions.clear()
        self.allow("view_delivery")

        text = self.text(page("delivery", "change", event.first_delivery))
        self.assertNotIn("note", text)
        self.assertEqual(403, self.client.get(page("event", "change", event.pk)).status_code)


class LargeTests(Pages):
    """Lists that are long."""

    def test_pages_are_counted_to_a_limit(self) -> None:
        """No more is counted than is listed, and the page says that there is more."""
        for number in range(8):
            store_event(f"shop_{number}", "done")

        with patch.object(NewestPages, "most", 5):
            text = self.text(page("event", "changelist"))

        self.assertIn("The newest 5 events that fit are listed", text)

    def test_queries_do_not_grow(self) -> None:
        """The number of queries of a page does not depend on the number of its rows."""
        store_event("shop_1", "done", "dead")
        store_chain("c1")
        store_session("s1", ("running", ACTIVE))
        few = [self.queries(model) for model in MODELS]
        for number in range(2, 20):
            store_event(f"shop_{number}", "done", "dead")
            store_chain(f"c{number}")
            store_session(f"s{number}", ("running", ACTIVE))

        self.assertEqual(few, [self.queries(model) for model in MODELS])

    def queries(self, model: type) -> int:
        """Give the number of queries of a list."""
        with CaptureQueriesContext(connection) as captured:
            self.text(page(model.__name__.lower(), "changelist"))
        return len(captured)
