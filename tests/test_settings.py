"""Tests of settings: what they are made of, and what is refused."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.errors import InvalidSettings
from twisted_dispatcher.settings import Settings

STORE = "sqlite:///events.db"


class SettingsTests(SynchronousTestCase):
    """What settings can be made of."""

    def test_defaults(self) -> None:
        """Nothing needs to be said: it is a dispatcher in memory then."""
        settings = Settings()

        self.assertIsNone(settings.store)
        self.assertEqual(("before", "during", "after"), settings.phases)

    def test_of_settings(self) -> None:
        """Settings stand for themselves."""
        settings = Settings(keywords=("kind",))

        self.assertIs(settings, Settings.of(settings))

    def test_of_url(self) -> None:
        """A string is the URL of a store."""
        self.assertEqual(Settings(store=STORE), Settings.of(STORE))

    def test_of_mapping(self) -> None:
        """A mapping has settings by their names."""
        given = {"store": STORE, "keywords": ["kind", "user"], "order_by": ["user"], "lease": 5}

        self.assertEqual(
            Settings(store=STORE, keywords=("kind", "user"), order_by=("user",), lease=5),
            Settings.of(given),
        )

    def test_frozen(self) -> None:
        """What was given may change afterwards; the settings do not."""
        policies, keywords = {"before": "stop"}, ["kind"]
        settings = Settings(on_failure=policies, keywords=keywords)
        policies["during"] = "stop"
        keywords.append("user")

        self.assertEqual({"before": "stop"}, settings.on_failure)
        self.assertEqual(("kind",), settings.keywords)

    def test_keeps_the_password(self) -> None:
        """What is shown of settings has no password in it."""
        shown = repr(Settings(store="postgresql://ada:secret@host/database"))

        self.assertNotIn("secret", shown)
        self.assertIn("postgresql://...", shown)
        self.assertIn(STORE, repr(Settings(store=STORE)))


class InvalidSettingsTests(SynchronousTestCase):
    """What settings cannot be made of."""

    def faults(self, given: Any) -> tuple[str, ...]:
        """Give what is wrong with settings."""
        error: InvalidSettings = self.assertRaises(InvalidSettings, Settings.of, given)
        return error.faults

    def test_all_at_once(self) -> None:
        """One error names all that is wrong, unknown names and bad values."""
        error = self.assertRaises(
            InvalidSettings, Settings.of, {"stoer": STORE, "drain": "long", "phases": []}
        )

        self.assertEqual(3, len(error.faults), error.faults)
        for expected in ("no setting 'stoer'", "drain: it is a number of seconds", "phases: "):
            self.assertIn(expected, str(error))

    def test_builtins(self) -> None:
        """The error is also the one that a user of Python would catch."""
        self.assertRaises(ValueError, Settings, lease=0)
        self.assertRaises(TypeError, Settings.of, 7)

    def test_each_value(self) -> None:
        """Each setting refuses what it cannot be, by its name."""
        bad: dict[str, list[Any]] = {
            "store": ["mysql://host", "sqlite://events.db", 7],
            "keywords": ["kind", 7, ["in"], ["phase"], {"kind": 1}],
            "phases": ["before", 7, [], ["a", "a"]],
            "on_failure": ["ignore", {"nowhere": "stop"}, {"before": "ignore"}],
            "order_by": ["kind", 7, ["nowhere"]],
            "worker": [1, None],
            "lease": [0, -1, None, True, "60", float("nan")],
            "drain": [-1, None],
            "bury_after": [0, "never"],
            "keep_payloads": [-1, "for ever"],
            "keep_keys": [-1, []],
        }
        for name, values in bad.items():
            for value in values:
                (fault,) = self.faults({"store": STORE, name: value})

                self.assertTrue(fault.startswith(f"{name}: "), fault)

    def test_order_of_one_keyword(self) -> None:
        """A plain string for the order is refused, with how it is written."""
        (fault,) = self.faults({"store": STORE, "keywords": ["kind"], "order_by": "kind"})

        self.assertIn("write order_by=('kind',)", fault)

    def test_keys_shorter_than_payloads(self) -> None:
        """Keys that would be kept for a shorter time than payloads are refused."""
        for payloads in (5, None):
            (fault,) = self.faults({"store": STORE, "keep_payloads": payloads, "keep_keys": 1})

            self.assertIn(f"keep_keys=1 is shorter than keep_payloads={payloads}", fault)

    def test_policies_beside_phases(self) -> None:
        """A policy for failures that is none is named also where the phases are no phases."""
        for policy in ("ignore", {"before": "ignore"}):
            first, second = self.faults({"phases": [], "on_failure": policy})

            self.assertTrue(first.startswith("phases: "), first)
            self.assertIn("not 'ignore'", second)

    def test_keywords_of_a_store(self) -> None:
        """A keyword cannot be what `accept_event` calls a parameter, also without a store."""
        for store in (STORE, None):
            (fault,) = self.faults({"store": store, "keywords": ["key"]})

            self.assertIn("'key'", fault)

    def test_needs_a_store(self) -> None:
        """What only a store can do is refused without one."""
        (fault,) = self.faults({"lease": 5, "worker": False})

        self.assertEqual(
            "store: it is missing, and worker, lease can mean nothing without it", fault
        )

    def test_no_password_in_errors(self) -> None:
        """A bad URL is complained of without the password in it."""
        (fault,) = self.faults("mysql://ada:secret@host/database")

        self.assertNotIn("secret", fault)
