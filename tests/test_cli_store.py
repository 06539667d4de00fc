"""The commands that look into a store, and those that mend what is in it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from twisted.internet import task
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.dispatching import Problem, Waiting, failing
from tests.durable import EPOCH, ONCE
from twisted_dispatcher import DurableDispatcher, Event, HandlerOptions, open_store
from twisted_dispatcher.cli.commands import command
from twisted_dispatcher.cli.options import STORE_VARIABLE

SECRET = "4111 1111 1111 1111"
EVENT_FIELDS = ["accepted", "due", "id", "key", "ordered", "planned", "settled", "state"]
DELIVERY_FIELDS = [
    "attempts",
    "due",
    "error",
    "event_id",
    "handler",
    "id",
    "key",
    "phase",
    "status",
]


class StoreCase(SynchronousTestCase):
    """Runs commands in this process, on a clock for a reactor."""

    def setUp(self) -> None:
        """Have a place for a store."""
        self.clock = Clock()
        self.clock.advance(EPOCH)
        directory = Path(self.mktemp())
        directory.mkdir()
        self.path = directory / "shop.db"
        self.url = f"sqlite:///{self.path}"
        self.patch(task, "react", self.react)

    def react(self, main: Callable[[Any], Deferred[None]]) -> None:
        """Do what `twisted.internet.task.react` does, on the clock."""
        self.until(main(self.clock))

    def until(self, done: Deferred[Any]) -> Any:
        """Let turns pass until a Deferred has fired, and give its result."""
        results: list[Any] = []
        errors: list[Any] = []
        done.addCallbacks(results.append, errors.append)
        for _ in range(1000):
            if results or errors:
                break
            self.clock.advance(0)
        for failure in errors:
            failure.raiseException()
        self.assertTrue(results, "it did not come to its end")
        return results[0]

    def run_command(self, *arguments: str, status: int = 0, store: str = "") -> str:
        """Run a command that ends with a status, the environment naming a store."""
        result = CliRunner().invoke(command, arguments, env={STORE_VARIABLE: store})
        self.assertEqual(result.exit_code, status, result.output)
        return result.output

    def ask(self, *arguments: str, status: int = 0) -> str:
        """Run a command on the store, and give what it writes, its white space folded."""
        return " ".join(self.run_command(*arguments, "--store", self.url, status=status).split())

    def ask_json(self, *arguments: str) -> Any:
        """Run a command on the store, and give the JSON that it writes."""
        return json.loads(self.run_command(*arguments, "--store", self.url, "--json"))


class FilledCase(StoreCase):
    """A store with an event that is done (``a``), one that died (``b``), one for later (``c``)."""

    def setUp(self) -> None:
        """Fill the store."""
        super().setUp()
        self.store = open_store(self.url, reactor=self.clock)
        self.dispatcher = DurableDispatcher(
            self.store,
            ("kind",),
            clock=self.clock,
            on_failure={"before": "stop"},
            order_by=("kind",),
            lease=1e6,
        )
        self.register("before", kind="bad", name="checks", retry=ONCE)(failing(Problem("no")))
        self.register("during", kind="bad", name="ships")(lambda event: None)
        self.register("during", kind="good", name="ships.good")(lambda event: None)
        self.register("during", kind="slow", name="waits")(Waiting())
        self.dispatcher.start()
        self.until(self.dispatcher.when_ready())
        for key, kind, delay in (("a", "good", 0), ("b", "bad", 0), ("c", "good", 3600)):
            self.accept(key, kind, EPOCH + delay)
        self.flushLoggedErrors(Problem)
        self.addCleanup(self.store.close)

    def register(self, phase: str, kind: str, **options: Any) -> Callable[[Any], Any]:
        """Give a decorator that registers a handler."""
        return self.dispatcher.on(phase, options=HandlerOptions(**options), kind=kind)

    def accept(self, key: str, kind: str, at: float = EPOCH) -> None:
        """Accept an event, and let what is due of it be done."""
        event = Event(kind, key=key, context={"card": SECRET})
        self.until(self.dispatcher.accept_event(event, at=at, kind=kind))
        for _ in range(10):
            self.clock.advance(0)

    def delivery_of(self, key: str, handler: str) -> str:
        """Give the id of a delivery, as it is written."""
        (found,) = self.until(self.dispatcher.deliveries(key=key, handler=handler))
        return str(found.id)


class ListTests(FilledCase):
    """``list``."""

    def test_events(self) -> None:
        """Events are listed, the newest first, with times in UTC."""
        said = self.ask("list", "events")

        self.assertIn("c open 2027-01-15T08:00:00.000Z 2027-01-15T09:00:00.000Z", said)
        self.assertLess(said.index("c open"), said.index("b settled"))
        self.assertIn("a settled 2027-01-15T08:00:00.000Z", said)

    def test_events_json(self) -> None:
        """For programs events have the same fields always."""
        found = self.ask_json("list", "events")

        self.assertEqual([sorted(each) for each in found], [EVENT_FIELDS] * 3)
        self.assertEqual(
            found[0],
            {
                "id": 3,
                "key": "c",
                "state": "open",
                "accepted": "2027-01-15T08:00:00.000Z",
                "due": "2027-01-15T09:00:00.000Z",
                "settled": None,
                "planned": True,
                "ordered": True,
            },
        )

    def test_open_and_settled(self) -> None:
        """Events can be had by whether something is left to do."""
        for option, keys in (("--open", ["c"]), ("--settled", ["b", "a"])):
            found = self.ask_json("list", "events", option)
            self.assertEqual([each["key"] for each in found], keys)

    def test_limit(self) -> None:
        """Where the limit is reached, that is said; where it is not, it is not."""
        self.assertIn("more than these 2: see --limit", self.ask("list", "events", "--limit", "2"))
        self.assertNotIn("--limit", self.ask("list", "events"))

    def test_deliveries(self) -> None:
        """Deliveries are listed with their status and the last line of their error."""
        said = self.ask("list", "deliveries")

        self.assertIn("b checks before dead 1 tests.dispatching.Problem: no", said)
        self.assertIn("c ships.good during pending 0 2027-01-15T09:00:00.000Z", said)

    def test_deliveries_json(self) -> None:
        """For programs deliveries have the same fields always, and the whole traceback."""
        (found,) = self.ask_json("list", "deliveries", "--status", "dead")

        self.assertEqual(sorted(found), DELIVERY_FIELDS)
        self.assertEqual((found["key"], found["phase"], found["due"]), ("b", "before", None))
        self.assertIn("Traceback", found["error"])

    def test_deliveries_by(self) -> None:
        """Deliveries can be had by status, key and handler."""
        for options, keys in (
            (("--key", "b", "--status", "skipped"), ["b"]),
            (("--handler", "ships.good", "--status", "done"), ["a"]),
            (("--key", "nothing"), []),
        ):
            found = self.ask_json("list", "deliveries", *options)
            self.assertEqual([each["key"] for each in found], keys)

    def test_dead(self) -> None:
        """What is dead is listed with the reason and the commands that mend it."""
        number = self.delivery_of("b", "checks")

        self.assertIn(f"`twisted-dispatcher replay {number}`", self.ask("list", "dead"))
        (found,) = self.ask_json("list", "dead")
        self.assertEqual(sorted(found), sorted([*DELIVERY_FIELDS, "reason"]))
        self.assertEqual(found["reason"]["code"], "dead")
        self.assertEqual(self.ask_json("list", "dead", "--handler", "waits"), [])

    def test_waiting(self) -> None:
        """What waits is listed with until when."""
        self.assertIn("not due until 2027-01-15T09:00:00.000Z", self.ask("list", "waiting"))
        (found,) = self.ask_json("list", "waiting")
        self.assertEqual(
            found["reason"],
            {
                "code": "not_due",
                "text": "not due until 2027-01-15T09:00:00.000Z",
                "until": "2027-01-15T09:00:00.000Z",
                "deliveries": [],
                "event_key": None,
            },
        )

    def test_counts(self) -> None:
        """What there is is counted."""
        self.assertEqual(
            self.ask_json("list", "counts"),
            {"open": 1, "pending": 1, "running": 0, "retrying": 0, "dead": 1, "skipped": 1},
        )
        self.assertIn("open events 1", self.ask("list", "counts"))

    def test_nothing(self) -> None:
        """Where there is nothing, that is said, and programs get an empty list."""
        self.assertEqual(self.ask("list", "dead", "--handler", "waits"), "no deliveries")

    def test_no_payload(self) -> None:
        """No list has anything of what an event says."""
        for what in ("events", "deliveries", "dead", "waiting"):
            for more in ((), ("--json",)):
                self.assertNotIn(SECRET, self.ask("list", what, *more))


class ShowTests(FilledCase):
    """``show``."""

    def test_show(self) -> None:
        """An event is shown with its deliveries, in order, and their errors."""
        said = self.ask("show", "b")

        self.assertIn("event b (id 2), accepted at 2027-01-15T08:00:00.000Z", said)
        self.assertLess(said.index("checks before dead 1"), said.index("ships during skipped 0"))
        self.assertIn("the last error: Traceback", said)

    def test_by_id(self) -> None:
        """An event is found by its id, too, but a key comes first."""
        self.accept("2", "good")

        self.assertEqual(self.ask_json("show", "3")["key"], "c")
        self.assertEqual(self.ask_json("show", "2")["id"], 4)

    def test_json(self) -> None:
        """For programs a story is an event with a reason and deliveries with theirs."""
        found = self.ask_json("show", "b")

        self.assertEqual(sorted(found), sorted([*EVENT_FIELDS, "deliveries", "reason"]))
        self.assertEqual(found["reason"]["code"], "settled")
        codes = [each["reason"]["code"] for each in found["deliveries"]]
        self.assertEqual(codes, ["dead", "skipped"])

    def test_payload(self) -> None:
        """What an event says is shown only if it is asked for."""
        self.assertNotIn(SECRET, self.ask("show", "a"))
        self.assertNotIn(SECRET, self.ask("show", "a", "--json"))
        self.assertIn(SECRET, self.ask("show", "a", "--payload"))
        found = self.ask_json("show", "a", "--payload")
        self.assertEqual(found["body"]["context"], {"card": SECRET})
        self.assertEqual((found["details"], found["lane"]), ({"kind": "good"}, '["good"]'))

    def test_payload_gone(self) -> None:
        """Where the payload was deleted, there is none."""
        self.until(self.store.purge(EPOCH + 1, None, 100))

        self.assertIsNone(self.ask_json("show", "a", "--payload")["body"])

    def test_foreign_payload(self) -> None:
        """A payload that no codec has written is shown as it is."""
        self.change("UPDATE twisted_dispatcher_event SET body = 'ab'")

        self.assertEqual(self.ask_json("show", "a", "--payload")["body"], "ab")

    def change(self, sql: str) -> None:
        """Change what is in the file, behind the store's back."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(sql)

    def test_unknown(self) -> None:
        """An event that is not there is an error with the cure."""
        for name in ("nothing", "99", "9" * 40):
            said = self.ask("show", name, status=1)

            self.assertIn(f"'{name}', and no delivery or chain the id: `twisted-", said)


class WhyTests(FilledCase):
    """``why``."""

    def test_event(self) -> None:
        """Of an event what is not done is told, with the reasons."""
        said = self.ask("why", "c")

        self.assertIn("event c (id 3): not due until 2027-01-15T09:00:00.000Z", said)
        self.assertIn("ships.good during pending 0 not due until", said)
        self.assertEqual(self.ask_json("why", "c")["reason"]["code"], "not_due")

    def test_done(self) -> None:
        """Of an event that is done the one line says so."""
        self.assertEqual(
            self.ask("why", "a"), "event a (id 1): settled at 2027-01-15T08:00:00.000Z"
        )

    def test_lane(self) -> None:
        """An event that waits in its lane names the one that comes first."""
        self.accept("d", "slow")
        self.accept("e", "slow")

        self.assertIn("the event d comes first, by order_by", self.ask("why", "e"))

    def test_delivery(self) -> None:
        """A delivery is found by its id."""
        number = self.delivery_of("b", "ships")

        self.assertIn("of an earlier phase is dead", self.ask("why", number))
        self.assertEqual(self.ask_json("why", number)["reason"]["code"], "skipped")

    def test_unknown(self) -> None:
        """What is not there is an error with the cure."""
        self.assertIn("no event has the key 'x', ", self.ask("why", "x", status=1))
        self.assertIn("and no delivery or chain", self.ask("why", "99", status=1))
        self.assertIn("list events", self.ask("why", "9" * 40, status=1))


class MendingTests(FilledCase):
    """``replay`` and ``skip``."""

    def setUp(self) -> None:
        """Know the dead delivery; nothing works on the store any more."""
        super().setUp()
        self.dead = self.delivery_of("b", "checks")
        self.until(self.dispatcher.stop())

    def test_replay(self) -> None:
        """A dead delivery is due again, and so is what it had stopped."""
        said = self.ask("replay", self.dead)

        self.assertIn("of event b to checks (before) due since 2027-01-15T08:00:00.000Z", said)
        codes = [each["reason"]["code"] for each in self.ask_json("show", "b")["deliveries"]]
        self.assertEqual(codes, ["due", "earlier_phase"])

    def test_replay_json(self) -> None:
        """For programs the delivery is told as it stands then."""
        found = self.ask_json("replay", self.dead)

        self.assertEqual((found["status"], found["reason"]["code"]), ("pending", "due"))

    def test_replay_with_context(self) -> None:
        """A delivery is replayed with another context, the rest of the event being the same."""
        self.ask("replay", self.dead, "--context", '{"card": null}')
        body = self.ask_json("show", "b", "--payload")["body"]

        self.assertEqual(
            (body["context"], body["type"], body["key"]), ({"card": None}, "bad", "b")
        )

    def test_context_that_is_none(self) -> None:
        """A context that is no JSON object is a usage error, and nothing is changed."""
        for context, reason in (("{", "it is not JSON"), ("[1]", "no object")):
            said = self.ask("replay", self.dead, "--context", context, status=2)
            self.assertIn(reason, said)
        self.assertEqual(self.ask_json("why", self.dead)["status"], "dead")

    def test_replay_with_context_of_another_event(self) -> None:
        """A value that is no Event has no context, which is said."""
        self.dispatcher.start()
        self.until(self.dispatcher.accept_event("a word", key="w", kind="bad"))
        for _ in range(10):
            self.clock.advance(0)
        self.flushLoggedErrors(Problem)
        number = self.delivery_of("w", "checks")

        self.assertIn(
            "replay it as it was", self.ask("replay", number, "--context", "{}", status=1)
        )

    def test_skip(self) -> None:
        """A dead delivery is given up, and its event goes on without it."""
        said = self.ask("skip", self.dead)

        self.assertIn("skipped: somebody gave it up", said)
        codes = [each["reason"]["code"] for each in self.ask_json("show", "b")["deliveries"]]
        self.assertEqual(codes, ["skipped", "due"])

    def test_unknown(self) -> None:
        """A delivery that is not there is an error, and a number that is none a usage error."""
        for what in ("replay", "skip"):
            self.assertIn("no delivery has the id 99", self.ask(what, "99", status=1))
            for number in ("b", "1" * 19):
                said = self.ask(what, number, status=2)
                self.assertIn("DELIVERY_ID", said)
                self.assertIn("list deliveries", said)

    def test_wrong_status(self) -> None:
        """What cannot be replayed or skipped says why."""
        waiting, done = self.delivery_of("c", "ships.good"), self.delivery_of("a", "ships.good")

        self.assertIn("is pending, so that it cannot", self.ask("replay", waiting, status=1))
        self.assertIn("is done, so that it cannot", self.ask("skip", done, status=1))


class MigrateTests(StoreCase):
    """``migrate``."""

    def test_made(self) -> None:
        """Tables are made where there are none; a second time nothing is left to be done."""
        self.assertIn("the tables were made, of version", self.ask("migrate"))
        self.assertEqual(self.ask("migrate"), "the tables are up to date")

    def test_json(self) -> None:
        """For programs it says whether there was something to be done, and from which version."""
        self.assertEqual(self.ask_json("migrate"), {"migrated": True, "from": 0})
        self.assertEqual(self.ask_json("migrate"), {"migrated": False, "from": None})

    def test_foreign_tables(self) -> None:
        """A database whose tables only have our names is left alone."""
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("CREATE TABLE twisted_dispatcher_event (what TEXT)")

        self.assertIn("are not ours", self.ask("migrate", status=1))

    def test_newer(self) -> None:
        """A store of a newer version is refused."""
        self.ask("migrate")
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("UPDATE twisted_dispatcher_meta SET value = '99'")

        for arguments in (["migrate"], ["list", "counts"]):
            self.assertIn("a newer one", self.ask(*arguments, status=1))


class StoreOptionTests(StoreCase):
    """Which store is asked."""

    def test_environment(self) -> None:
        """The store may be named by the environment."""
        self.ask("migrate")

        said = self.run_command("list", "counts", store=self.url)
        self.assertIn("open events", said)

    def test_none(self) -> None:
        """Without a store there is nothing to be asked."""
        said = self.run_command("list", "counts", status=2)

        self.assertIn(f"--store' (env var: '{STORE_VARIABLE}')", said)

    def test_bad_url(self) -> None:
        """A URL that names no store is a usage error that shows the forms there are."""
        for url in ("shop.db", "mysql://shop", "sqlite://shop.db"):
            said = self.run_command("list", "counts", "--store", url, status=2)
            self.assertIn("sqlite:///relative/path.db", " ".join(said.split()))

    def test_not_there(self) -> None:
        """A store that is not there is an error, and none is made by looking for it."""
        for arguments in (["list", "events"], ["show", "a"], ["why", "a"], ["skip", "1"]):
            said = self.ask(*arguments, status=1)

            self.assertIn(f"twisted-dispatcher migrate --store {self.url}", said)
            self.assertFalse(self.path.exists())

    def test_in_memory(self) -> None:
        """A store in memory cannot be looked into from outside."""
        said = self.run_command("list", "counts", "--store", "sqlite://", status=1)

        self.assertIn("ends with its process", said)

    def test_no_tables(self) -> None:
        """A database without our tables is not changed by looking into it."""
        sqlite3.connect(self.path).close()
        self.path.touch()

        self.assertIn("has no tables yet", self.ask("list", "counts", status=1))
