"""Mails that the staff has written in the admin."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core import mail
from django.core.management import call_command
from django.test import TestCase

from examples.challenges.management.commands.make_up import write_a_mail
from examples.challenges.staff import example_for
from examples.challenges.tests.making import challenge_of, donation_of, on_day
from twisted_dispatcher.django.mails.models import Mail
from twisted_dispatcher.django.testing import AtOnceMixin


class HintTests(AtOnceMixin, TestCase):
    """The mail that is made up: for who has not got half of the goal after five days."""

    def setUp(self) -> None:
        """Ada has got too little, Bob has got enough."""
        super().setUp()
        write_a_mail()
        for name, amount in (("Ada", 49), ("Bob", 50)):
            challenge = challenge_of(name, goal=100)
            challenge.save()
            donation_of(challenge, "Eve", amount).save()
        mail.outbox.clear()

    def mailed_on(self, day: int) -> list[tuple[str, str]]:
        """Give whom the staff's mails go to on a day, and the subjects."""
        mail.outbox.clear()
        with on_day(day):
            call_command("process_mail_events", verbosity=0)
        return [(*each.to, each.subject) for each in mail.outbox]

    def test_once(self) -> None:
        """It comes after five days, and once."""
        hint = ("ada@example.org", "Does your newspaper know?")

        self.assertEqual([[], [hint], []], [self.mailed_on(day) for day in (4, 5, 6)])

    @on_day(7)
    def test_preview(self) -> None:
        """The admin shows it with one of the challenges."""
        self.client.force_login(User.objects.create_superuser("root"))
        row = Mail.objects.get()

        answer = self.client.get(f"/admin/dispatcher_mails/mail/{row.pk}/change/")

        self.assertContains(answer, "after 7 days 49 % of your goal has come together")


class EmptyTests(TestCase):
    """A site without challenges."""

    def test_preview(self) -> None:
        """There is nothing to show a mail with, which is no error."""
        self.assertEqual({}, example_for(Mail()))
