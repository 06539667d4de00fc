"""What is mailed when challenges and donations are saved."""

from __future__ import annotations

from smtplib import SMTPServerDisconnected
from typing import Any
from unittest import mock

from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import call_command
from django.db import transaction
from django.test import TestCase

from examples.challenges.models import Challenge
from examples.challenges.tests.making import challenge_of, donation_of, on_day
from twisted_dispatcher.django import running
from twisted_dispatcher.django.models import Delivery
from twisted_dispatcher.django.testing import AtOnceMixin


class MailTests(AtOnceMixin, TestCase):
    """Mails about events, handled at once."""

    def subjects(self) -> list[str]:
        """Give the subjects of what was sent, and forget it."""
        subjects = [each.subject for each in mail.outbox]
        mail.outbox.clear()
        return subjects

    @on_day(0)
    def test_created(self) -> None:
        """Whoever begins a challenge gets one mail about it, however often it is saved."""
        challenge = challenge_of("Ada", title="Up & down the hill")
        challenge.save()
        challenge.save()

        (sent,) = mail.outbox
        self.assertEqual(["ada@example.org"], sent.to)
        self.assertEqual("“Up & down the hill” has begun", sent.subject)
        self.assertTrue(sent.body.startswith("Hello Ada,\n\nyour challenge can be seen"))
        key = f"challenge_created_{challenge.pk}"
        self.assertEqual({"Message-ID": f"<{key}@charity.example>"}, sent.extra_headers)

    @on_day(0)
    def test_donation(self) -> None:
        """A donor is thanked; the mail knows the challenge as it is now."""
        challenge = challenge_of("Ada")
        challenge.save()
        donation = donation_of(challenge, "Bob", 20)
        Challenge.objects.update(title="Ada swims back")
        self.subjects()

        donation.save()

        (sent,) = mail.outbox
        self.assertEqual(["bob@example.org"], sent.to)
        self.assertIn("You have donated 20 for “Ada swims back”.", sent.body)

    def test_days(self) -> None:
        """What happens as days go by is found by sweeps, and mailed once."""
        with on_day(0):
            challenge_of("Ada", days=10, title="Ada swims").save()
        self.assertEqual(["“Ada swims” has begun"], self.subjects())

        for day, subjects in (
            (2, []),
            (3, ["“Ada swims” needs a push"]),
            (7, []),
            (8, ["“Ada swims” ends soon"]),
            (11, ["“Ada swims” has brought 0"]),
        ):
            for expected in (subjects, []):
                with on_day(day):
                    call_command("process_event_sources", verbosity=0)
                self.assertEqual(expected, self.subjects(), f"on day {day}")

    @on_day(11)
    def test_page(self) -> None:
        """At the end there is a page as well, in which the title is escaped."""
        challenge = challenge_of(days=10, title="Up & down")
        Challenge.objects.bulk_create([challenge])
        stored = Challenge.objects.get()
        stored.donations.bulk_create([donation_of(stored), donation_of(stored)])

        call_command("process_event_sources", verbosity=0)

        (sent,) = (each for each in mail.outbox if each.alternatives)
        self.assertEqual("“Up & down” has brought 40", sent.subject)
        self.assertIn("<b>Up &amp; down</b>", sent.alternatives[0][0])

    @on_day(0)
    def test_rolled_back(self) -> None:
        """What is rolled back is not mailed, and is mailed when it happens after all."""
        challenge = challenge_of()
        with transaction.atomic():
            challenge.save()
            transaction.set_rollback(True)
        self.assertEqual([], self.subjects())

        challenge.pk = None
        challenge._state.adding = True
        challenge.save()
        self.assertEqual(1, len(self.subjects()))


class FailureTests(AtOnceMixin, TestCase):
    """A mail server that is away."""

    @on_day(0)
    def test_never_lost(self) -> None:
        """Saving goes well, the delivery is kept with what happened, and its replay mails."""
        challenge = challenge_of()
        gone = SMTPServerDisconnected("the server hung up")
        with mock.patch.object(EmailBackend, "send_messages", side_effect=gone):
            challenge.save()

        self.assertEqual([gone], [each.error for each in self.delivered.take_failures()])
        self.assertEqual([], mail.outbox)
        delivery = self.only_delivery()
        self.assertEqual("dead", delivery.status)
        self.assertIn("the server hung up", delivery.error)

        running.replay(delivery.pk)

        self.assertEqual("done", self.only_delivery().status)
        (sent,) = mail.outbox
        self.assertEqual(f"“{challenge}” has begun", sent.subject)

    def only_delivery(self) -> Any:
        """Give the one delivery that there is."""
        return Delivery.objects.get()
