"""What a durable dispatcher cannot be made of."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher import DurableDispatcher, errors, open_store


class ConstructionTests(SynchronousTestCase):
    """The arguments of the constructor."""

    def refused(self, store: Any, **options: Any) -> str:
        """Give the message with which a dispatcher is refused."""
        error = self.assertRaises(errors.InvalidOptions, DurableDispatcher, store, **options)
        return str(error)

    def test_url(self) -> None:
        """The URL of a store is refused, and the error names the call that opens it."""
        self.assertEqual(
            "store is no URL: give open_store('sqlite:///x.db')", self.refused("sqlite:///x.db")
        )

    def test_url_with_password(self) -> None:
        """A password in a URL is not in the error."""
        self.assertNotIn("secret", self.refused("postgresql://ada:secret@host/shop"))

    def test_no_store(self) -> None:
        """What cannot accept events is refused."""
        for thing in (None, 5, {"store": "sqlite://"}):
            self.assertIn(f"provides IStore, not {thing!r}", self.refused(thing))

    def test_numbers(self) -> None:
        """A number out of its range is refused, with the name of the argument."""
        store = open_store("sqlite://", reactor=Clock())
        bad: dict[str, list[Any]] = {
            "lease": [-1, 0, "60", None, True, float("nan")],
            "drain": [-1, None],
            "bury_after": ["x", 0],
            "worker": ["no", None, 1],
            "keep_payloads": [-1, "for ever"],
            "keep_keys": [-1],
        }
        for name, values in bad.items():
            for value in values:
                message = self.refused(store, **{name: value})

                self.assertTrue(message.startswith(f"{name} is "), message)
                self.assertTrue(message.endswith(f", not {value!r}"), message)
