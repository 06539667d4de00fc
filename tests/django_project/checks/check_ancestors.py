"""What was written after django-spark's documents does what they say, with other imports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any
from unittest import mock

from django.core import mail
from django.test import SimpleTestCase, TestCase

from tests.django_project.checks.recording import SourcesMixin, keys
from tests.django_project.club.models import Gift, Member, Patron, Veteran
from twisted_dispatcher.django import api
from twisted_dispatcher.django.testing import AtOnceMixin

ALL = ["member_joined", "member_quiet", "member_leaving", "member_left"]


def dated(member: Member, joined: int, left: int) -> Member:
    """Give a member dates, which are so many days from today."""
    member.joined = date.today() + timedelta(days=joined)
    member.left = date.today() + timedelta(days=left)
    return member


def happenings(member: Any) -> Iterator[str]:
    """Give the groups of a member's events, as the documents' source finds them."""
    if not member.active:
        return
    yield "member_joined"
    if (date.today() - member.joined).days > 2 and member.gifts.count() < 2:
        yield "member_quiet"
    if (member.left - date.today()).days <= 2:
        yield "member_leaving"
    if member.left < date.today():
        yield "member_left"


def events_with_data(member: Member) -> Iterator[dict[str, Any]]:
    """Declare them in the form of the first document: data beside group and key."""
    for group in happenings(member):
        yield {"group": group, "key": f"{group}_{member.pk}", "member": member}


def events_with_context(member: Member) -> Iterator[dict[str, Any]]:
    """Declare them in the form of the second one: by ``event``, with a context."""
    for group in happenings(member):
        yield api.event(group, member.pk, {"member": member})


class DocumentTests(SourcesMixin, AtOnceMixin, TestCase):
    """A project whose handlers and sources are those of a document."""

    def setUp(self) -> None:
        """Give all members dates."""
        super().setUp()
        # The dates are no columns: whoever reads a member gets them all the same.
        for name, days in (("joined", -5), ("left", -1)):
            when = date.today() + timedelta(days=days)
            patch = mock.patch.object(Member, name, when, create=True)
            patch.start()
            self.addCleanup(patch.stop)

    def write_letters(self, event: Any) -> None:
        """Send a mail, as a handler of the first document finds what it is about."""
        member = event["member"]
        mail.send_mail(f"letters/{event['group']}", member.name, None, ["club@example.org"])

    def write_letters_by_context(self, event: Any) -> None:
        """Send a mail, as a handler of the second document does."""
        member = event["context"]["member"]
        mail.send_mail(f"letters/{event['group']}", member.name, None, ["club@example.org"])

    def subjects(self) -> list[str]:
        """Give the groups for which mails were sent, and forget the mails."""
        subjects = [each.subject.removeprefix("letters/") for each in mail.outbox]
        mail.outbox.clear()
        return subjects

    def test_data_beside_group_and_key(self) -> None:
        """Events of version 0.2 are handled when the object is saved, each once (S03, S04)."""
        api.register_group_handler(handler=self.write_letters, group=r"^member")
        api.register_model_event_source(sender=Member, source=events_with_data)

        member = Member.objects.create(name="Ada")
        self.assertEqual(ALL, self.subjects())
        member.save()
        self.assertEqual([], self.subjects())

    def test_context(self) -> None:
        """So are those of version 0.3, with what the source finds then (S40, S41)."""
        api.register_group_handler(handler=self.write_letters_by_context, group=r"^member")
        api.register_model_event_source(sender=Member, source=events_with_context)

        member = dated(Member(name="Ada"), joined=0, left=30)
        member.save()
        self.assertEqual(["member_joined"], self.subjects())
        Gift.objects.bulk_create([Gift(member=member), Gift(member=member)])
        dated(member, joined=-5, left=1).save()
        self.assertEqual(["member_leaving"], self.subjects())

    def test_inactive(self) -> None:
        """An object that is not active has no events."""
        api.register_group_handler(handler=self.write_letters, group=r"^member")
        api.register_model_event_source(sender=Member, source=events_with_data)

        Member.objects.create(name="Ada", active=False)

        self.assertEqual([], self.subjects())

    def test_sweep_of_the_first_document(self) -> None:
        """Its loop over all instances handles what is new, and nothing twice (S22, S46)."""
        Member.objects.bulk_create([Member(name="Ada"), Member(name="Bob")])
        api.register_group_handler(handler=self.write_letters, group=r"^member")
        api.register_model_event_source(sender=Member, source=events_with_data)

        self.sweep(api.process_events)
        self.assertEqual(ALL * 2, self.subjects())
        self.sweep(api.process_events)
        self.assertEqual([], self.subjects())

    def test_sweep_of_the_second_document(self) -> None:
        """With `only_new_events` around them it does the same (S21, S24, S47)."""
        Member.objects.bulk_create([Member(name="Ada"), Member(name="Bob")])
        api.register_group_handler(handler=self.write_letters_by_context, group=r"^member")
        api.register_model_event_source(sender=Member, source=events_with_context)

        self.sweep(lambda events: api.process_events(api.only_new_events(events)))
        self.assertEqual(ALL * 2, self.subjects())
        self.sweep(lambda events: api.process_events(api.only_new_events(events)))
        self.assertEqual([], self.subjects())

    def test_one_by_one(self) -> None:
        """A stream gives what is new, each recorded just before it is given (S06, S20)."""
        given = [api.event("member_joined", number) for number in (1, 2, 1, 3)]

        new = api.only_new_events(iter(given))
        seen = [(next(new)["key"], keys())]
        seen.extend((event["key"], keys()) for event in new)

        joined = [f"member_joined_{number}" for number in (1, 2, 3)]
        self.assertEqual([(key, joined[: at + 1]) for at, key in enumerate(joined)], seen)
        self.assertEqual([], list(api.only_new_events(given)))

    def test_recorded_before(self) -> None:
        """Where a stream is consumed into a list first, all of it is recorded then (S32)."""
        members = [Member(name="Ada"), Member(name="Bob")]
        Member.objects.bulk_create(members)
        api.register_group_handler(handler=self.write_letters, group="joined")

        new = list(api.only_new_events(each for m in members for each in events_with_data(m)))

        self.assertEqual(8, len(keys()))
        api.process_events(new)
        self.assertEqual(["member_joined"] * 2, self.subjects())

    def test_patterns(self) -> None:
        """A pattern is searched for anywhere in the group; an empty one is in each (S26)."""
        found: list[str] = []
        for pattern in ("^join", "join", "", re.compile("JOIN", re.IGNORECASE), "left$"):
            text = pattern if isinstance(pattern, str) else pattern.pattern
            handler = partial(self.note, found, text)
            api.register_group_handler(handler=handler, group=pattern)

        api.process_events([api.event("member_joined", 1)])

        self.assertEqual(["join", "", "JOIN"], found)

    @staticmethod
    def note(found: list[str], pattern: str, event: Any) -> None:
        """Keep a pattern that was found."""
        found.append(pattern)

    def test_same_source_twice(self) -> None:
        """A source that is registered twice runs twice, and is handled once (S42)."""
        ran: list[Any] = []

        def source(member: Member) -> Iterator[dict[str, Any]]:
            ran.append(member)
            yield api.event("member_joined", member.pk, {"member": member})

        api.register_group_handler(handler=self.write_letters, group=r"^member")
        for _ in range(2):
            api.register_model_event_source(sender=Member, source=source)

        member = Member.objects.create(name="Ada")

        self.assertEqual(([member, member], ["member_joined"]), (ran, self.subjects()))

    def test_exact_sender(self) -> None:
        """A subclass or a proxy that is saved has sources of its own (S45)."""
        api.register_group_handler(handler=self.write_letters, group=r"^member")
        api.register_model_event_source(sender=Member, source=events_with_data)

        Patron.objects.create(name="Ada")
        Veteran.objects.create(name="Bob")

        self.assertEqual([], self.subjects())

    def sweep(self, process: Any) -> None:
        """Pass all instances through all sources, as the documents' loop does."""
        for model, sources in api.MODEL_SOURCES.items():
            if model is not Member:
                continue
            for instance in model.objects.order_by("pk"):
                for source in sources:
                    process(source(instance))


class EventTests(SimpleTestCase):
    """Declaring events."""

    def test_event(self) -> None:
        """An event has its group, a key of group and id, and a context (S01)."""
        self.assertEqual(
            {"group": "member_joined", "key": "member_joined_7", "context": {}},
            api.event("member_joined", 7),
        )
        context = {"name": "Ada"}
        self.assertEqual(context, api.event("member_joined", 7, context)["context"])

    def test_early_import(self) -> None:
        """The API can be imported before Django is set up, and brings no model (S49)."""
        program = (
            "import sys, twisted_dispatcher.django.api\n"
            "print(sorted(name for name in sys.modules if name.endswith('.models')))"
        )
        environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            env=environment,
            text=True,
            timeout=120,
        )

        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertNotIn("twisted_dispatcher.django.models", done.stdout)
        self.assertNotIn("django.contrib", done.stdout)
