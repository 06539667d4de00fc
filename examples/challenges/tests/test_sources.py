"""What the sources tell of challenges and donations."""

from __future__ import annotations

from django.test import TestCase

from examples.challenges.models import Challenge
from examples.challenges.sources import events_from_challenge, events_from_donation
from examples.challenges.tests.making import challenge_of, donation_of, on_day


def saved(challenge: Challenge, donations: int = 0) -> Challenge:
    """Write rows past the signals, so that nobody but the test asks the sources."""
    Challenge.objects.bulk_create([challenge])
    stored: Challenge = Challenge.objects.get()
    stored.donations.bulk_create([donation_of(stored) for _ in range(donations)])
    return stored


def groups_on(day: int, challenge: Challenge) -> list[str]:
    """Give the groups of the events that a challenge has on a day."""
    with on_day(day):
        return [event["group"] for event in events_from_challenge(challenge)]


class ChallengeSourceTests(TestCase):
    """The events of a challenge, by the day."""

    def test_first_day(self) -> None:
        """A new challenge was created, and that is all."""
        self.assertEqual(["challenge_created"], groups_on(0, saved(challenge_of())))

    def test_inactive(self) -> None:
        """Of one that is not active nothing is told."""
        self.assertEqual([], groups_on(0, saved(challenge_of(is_active=False))))

    def test_quiet(self) -> None:
        """After more than two days with fewer than two donations it needs a push."""
        challenge = saved(challenge_of(), donations=1)

        self.assertNotIn("challenge_inactivity_2d", groups_on(2, challenge))
        self.assertIn("challenge_inactivity_2d", groups_on(3, challenge))

    def test_busy(self) -> None:
        """One with two donations does not."""
        challenge = saved(challenge_of(), donations=2)

        self.assertEqual(["challenge_created"], groups_on(3, challenge))

    def test_end(self) -> None:
        """Two days before its last day it ends soon; the day after that it has ended."""
        challenge = saved(challenge_of(days=10), donations=2)

        self.assertNotIn("challenge_ends_2d", groups_on(7, challenge))
        self.assertIn("challenge_ends_2d", groups_on(8, challenge))
        self.assertNotIn("challenge_ended", groups_on(10, challenge))
        self.assertIn("challenge_ended", groups_on(11, challenge))

    def test_key(self) -> None:
        """The key has the group and the challenge; the challenge is in the context."""
        challenge = saved(challenge_of())
        with on_day(0):
            (event,) = events_from_challenge(challenge)

        self.assertEqual(f"challenge_created_{challenge.pk}", event["key"])
        self.assertEqual({"challenge": challenge}, event["context"])


class DonationSourceTests(TestCase):
    """The events of a donation."""

    def test_received(self) -> None:
        """It was received."""
        donation = donation_of(saved(challenge_of()))
        donation.pk = 7
        (event,) = events_from_donation(donation)

        self.assertEqual("donation_received_7", event["key"])
