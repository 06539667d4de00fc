"""The commands that look into trigger sessions."""

from __future__ import annotations

from typing import Any

from tests.test_cli_store import StoreCase
from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.testing import pump
from twisted_dispatcher.triggers import storage_backends, trigger_managers

TASKS = "twisted_dispatcher.testing.tasks:"
SECRET = "4111 1111 1111 1111"
SURVEY = {
    "t_import": {"after": ["first", "last"], "run": f"{TASKS}PassThruTask"},
    "t_fail": {"after": [], "andEvery": "first", "run": f"{TASKS}FailingTask"},
    "t_later": {"after": ["later"], "run": f"{TASKS}DevNullTask"},
}


class SessionCommandTests(StoreCase):
    """Commands on a store with two sessions."""

    def setUp(self) -> None:
        """Fill the store."""
        super().setUp()
        store = open_store(self.url, reactor=self.clock)
        dispatcher = DurableDispatcher(store, clock=self.clock)
        dispatcher.start()
        for uid in ("applicant:1/survey", "other"):
            storage = storage_backends.get("default", uid, dispatcher)
            manager = trigger_managers.get("default", storage)
            self.wait(manager.update_configuration(SURVEY))
            self.wait(manager.fire("first", {"card": SECRET}))
            self.wait(manager.join_all())
        self.wait(dispatcher.stop())
        self.wait(store.close())

    def wait(self, deferred: Any) -> Any:
        """Let time pass until a Deferred fires."""
        return pump(self.clock, deferred, 60)

    def test_list(self) -> None:
        """Sessions are listed with their numbers; a prefix chooses among them."""
        said = self.ask("list", "sessions")
        self.assertIn("applicant:1/survey", said)
        self.assertIn("other", said)

        self.assertNotIn("other", self.ask("list", "sessions", "--prefix", "applicant:1/"))

    def test_list_json(self) -> None:
        """As JSON a session has its uid, its numbers and a time."""
        first, _ = self.ask_json("list", "sessions")

        self.assertEqual(
            (first["uid"], first["waiting"], first["active"], first["open"]),
            ("applicant:1/survey", 1, 0, 1),
        )
        self.assertTrue(first["changed"].startswith("2027-"))

    def test_none(self) -> None:
        """Where there are none, it says so."""
        self.assertEqual(self.ask("list", "sessions", "--prefix", "nobody"), "no sessions")

    def test_limit(self) -> None:
        """No more are listed than was asked for, and that is said."""
        self.assertIn("more than these 1", self.ask("list", "sessions", "--limit", "1"))

    def test_show(self) -> None:
        """A session is shown with what its instances lack, and what they have failed with."""
        said = self.ask("session", "show", "other")

        self.assertIn("session other: 3 tasks, 2 instances, 2 of them not resolved", said)
        self.assertIn("lacks last", said)
        self.assertIn("builtins.RuntimeError", said)
        self.assertIn("Traceback", said)
        self.assertIn("it waits for later", said)
        self.assertNotIn(SECRET, said)

    def test_show_payload(self) -> None:
        """What triggers were fired with is shown to those who ask for it."""
        self.assertIn(SECRET, self.ask("session", "show", "other", "--payload"))

    def test_show_json(self) -> None:
        """As JSON it has its tasks and its instances, and payloads only on demand."""
        found = self.ask_json("session", "show", "other")

        self.assertEqual(
            [(each["name"], each["status"], each["error"]) for each in found["instances"]],
            [("t_fail#0", "failed", "builtins.RuntimeError"), ("t_import#0", "unstarted", None)],
        )
        self.assertEqual(found["tasks"]["t_later"]["missing"], ["later"])
        paid = self.ask_json("session", "show", "other", "--payload")
        self.assertEqual(paid["instances"][0]["kwargs"], {"first": {"card": SECRET}})

    def test_why(self) -> None:
        """Why says what a task lacks."""
        self.assertEqual(
            self.ask("session", "why", "other", "t_import"), "t_import: t_import#0 lacks last"
        )
        found = self.ask_json("session", "why", "other", "t_import")
        self.assertEqual(found["missing"], ["last"])
        self.assertTrue(found["fired"]["first"].startswith("2027-"))

    def test_unknown(self) -> None:
        """A session or a task that is not there is an error."""
        self.assertIn(
            "no session 'nobody': `twisted-dispatcher list sessions` lists them",
            self.ask("session", "show", "nobody", status=1),
        )
        self.assertIn("t_none", self.ask("session", "why", "other", "t_none", status=1))

    def test_graph(self) -> None:
        """A session is drawn with its statuses."""
        said = self.ask("session", "graph", "other")

        self.assertIn("flowchart LR", said)
        self.assertIn("1 failed", said)
