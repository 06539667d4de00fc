"""The example of the shop that reminds its customers."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from examples.abandoned_cart.__main__ import text_of
from examples.abandoned_cart.story import Told, play


class AbandonedCartTests(TestCase):
    """Three weeks of the shop."""

    timeout = 120

    def told(self, store_url: str) -> Deferred[Told]:
        """Let the story happen."""
        return Deferred.fromCoroutine(play(reactor, store_url))

    async def test_story(self) -> None:
        """Reminders go to those who leave their carts, when they should, and to nobody else."""
        told = await self.told("sqlite://")

        early, late = "Did you forget something?", "Your cart is still here"
        self.assertEqual(
            [
                (2.0, "ada@example.org", early),
                (2.0, "bob@example.org", early),
                (2.0, "dan@example.org", early),
                (7.0, "ada@example.org", late),
                (12.0, "dan@example.org", late),
            ],
            told.mails,
        )

    async def test_states(self) -> None:
        """Each chain ends where its customer has led it, and its history says how."""
        told = await self.told(f"sqlite:///{Path(self.mktemp()).absolute()}")

        self.assertEqual(
            {"ada": "given_up", "bob": "done", "cleo": "done", "dan": "given_up"}, told.states
        )
        self.assertEqual(["Bought"], told.histories["cleo"])
        self.assertEqual(["Cart2DayReminder", "Bought"], told.histories["bob"])
        self.assertEqual(
            ["Cart2DayReminder", "Cart1WeekReminder", "GiveUp"], told.histories["ada"]
        )

    async def test_watching(self) -> None:
        """A handler of the dispatcher is told of every state that a chain comes to."""
        told = await self.told("sqlite://")

        self.assertEqual(3, told.watched.count("cart_2_day_reminder_sent"))
        self.assertEqual(2, told.watched.count("given_up"))

    async def test_text(self) -> None:
        """The story is told with its mails, its states and its graph."""
        text = text_of(await self.told("sqlite://"))

        self.assertIn("day  7.0  to ada@example.org: Your cart is still here\n", text)
        self.assertIn('state "given_up (2)" as given_up\n', text)
