"""The site: its admin, and what is made up for it."""

from __future__ import annotations

from io import StringIO

from django.contrib.auth.models import User
from django.core import mail
from django.core.management import call_command
from django.test import TestCase

from examples.challenges.models import Challenge, Donation
from examples.challenges.tests.making import challenge_of, donation_of, on_day
from twisted_dispatcher.django.testing import AtOnceMixin


@on_day(0)
class AdminTests(AtOnceMixin, TestCase):
    """Pages of the admin, for somebody who may do everything."""

    def setUp(self) -> None:
        """Log in."""
        super().setUp()
        self.client.force_login(User.objects.create_superuser("root"))

    def test_pages(self) -> None:
        """Challenges and donations are listed, and can be searched for."""
        challenge = challenge_of("Ada")
        challenge.save()
        donation_of(challenge).save()

        for page, shown in (
            ("challenges/challenge/?q=swims", "Ada swims across the lake"),
            (f"challenges/challenge/{challenge.pk}/change/", "bob@example.org"),
            ("challenges/donation/?q=Ada", "Bob"),
        ):
            answer = self.client.get(f"/admin/{page}")
            self.assertContains(answer, shown, msg_prefix=page)

    def test_saved_in_the_admin(self) -> None:
        """A challenge that is begun in the admin is mailed about, after the page's transaction."""
        user = User.objects.create_user("ada", "ada@example.org", first_name="Ada")
        form = {
            "user": user.pk,
            "title": "Ada climbs",
            "start_date": "2026-03-02",
            "end_date": "2026-04-01",
            "goal": 100,
            "is_active": "on",
            "donations-TOTAL_FORMS": 0,
            "donations-INITIAL_FORMS": 0,
        }

        answer = self.client.post("/admin/challenges/challenge/add/", form)

        self.assertRedirects(answer, "/admin/challenges/challenge/")
        self.assertEqual(["“Ada climbs” has begun"], [each.subject for each in mail.outbox])


@on_day(0)
class MakeUpTests(AtOnceMixin, TestCase):
    """The command that makes challenges up."""

    def test_once(self) -> None:
        """There are challenges with donations afterwards, and no more of them the second time."""
        for _ in range(2):
            call_command("make_up", stdout=StringIO())

        self.assertEqual((3, 5), (Challenge.objects.count(), Donation.objects.count()))
        self.assertEqual(8, len(mail.outbox))
