"""What was written after django-spark's documents does what they say, with other imports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from unittest import mock

from django.core import mail
from django.test import TestCase

from tests.django_project.checks.recording import SourcesMixin
from tests.django_project.club.models import Gift, Member
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

    def sweep(self, process: Any) -> None:
        """Pass all instances through all sources, as the documents' loop does."""
        for model, sources in api.MODEL_SOURCES.items():
            if model is not Member:
                continue
            for instance in model.objects.order_by("pk"):
                for source in sources:
                    process(source(instance))
