"""The commands that look into chains, and those that change them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.dispatching import Problem
from tests.test_cli_store import StoreCase
from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.chains import DONE, NEW, Chain, ChainDispatcher, Transition
from twisted_dispatcher.cli.inspecting import listing
from twisted_dispatcher.status.standing import CHAIN_CODES

HERE = __name__


class Ship(Transition):
    """Waits for the money, and then for the goods."""

    final_state = "shipped"
    wait_for = "payment"

    def is_valid(self) -> bool:
        self.errors.append("it is not in stock")
        return False


class Fail(Transition):
    """Cannot even be asked."""

    final_state = "shipped"

    def is_valid(self) -> bool:
        raise Problem("no")


class Close(Transition):
    """Leads to the end."""

    final_state = DONE

    def is_valid(self) -> bool:
        return True


CONFIGS = {
    "chains": [
        {"chain_type": "order", "transitions": {NEW: [Ship], "shipped": [Close]}},
        {"chain_type": "broken", "transitions": {NEW: [Fail], "shipped": []}},
        {"chain_type": "easy", "transitions": {NEW: [Close]}},
    ]
}


def give_configs() -> Any:
    """Give the configuration, as a function may."""
    return CONFIGS


def give_none() -> Any:
    """Fail, as a function may."""
    raise Problem("no")


class ChainCase(StoreCase):
    """A store with an order that waits, one that is broken, and one that is done."""

    def setUp(self) -> None:
        """Fill the store."""
        super().setUp()
        self.store = open_store(self.url, reactor=self.clock)
        self.dispatcher = DurableDispatcher(self.store, (), clock=self.clock)
        self.dispatcher.start()
        self.until(self.dispatcher.when_ready())
        self.order = self.make("order", "17")
        self.broken = self.make("broken", "18")
        self.easy = self.make("easy", "19")
        self.until(self.dispatcher.stop())
        self.addCleanup(self.store.close)

    def make(self, chain_type: str, order: str) -> Chain:
        """Make a chain, and execute it once."""
        chains = ChainDispatcher(
            chain_type, CONFIGS, "the tests", dispatcher=self.dispatcher, max_failures=1
        )
        chain: Chain = self.until(chains.get_or_create_chain([("order", order)]))
        executing = chains.execute_chain(chain)
        executing.addErrback(lambda failure: failure.trap(Problem))
        executing.addBoth(lambda _: True)
        self.until(executing)
        return chain


class ListTests(ChainCase):
    """``list chains`` and ``list states``."""

    def test_all(self) -> None:
        """All chains are listed, the newest first, with what marks them."""
        listed = self.ask_json("list", "chains")

        self.assertEqual(
            [self.easy.id, self.broken.id, self.order.id], [each["id"] for each in listed]
        )
        self.assertEqual([True, False, False], [each["ended"] for each in listed])
        self.assertEqual([["order", "19"]], listed[0]["resources"])

    def test_some(self) -> None:
        """Chains are listed by type, by state, by resource, and those that are parked."""
        for arguments, expected in (
            (("--type", "order"), self.order),
            (("--state", "done"), self.easy),
            (("--type", "broken", "--resource", "order=18"), self.broken),
            (("--parked",), self.broken),
        ):
            (found,) = self.ask_json("list", "chains", *arguments)
            self.assertEqual(expected.id, found["id"], arguments)

    def test_table(self) -> None:
        """People are shown a table, or that there is nothing."""
        self.assertIn("order=19", self.ask("list", "chains", "--type", "easy"))
        self.assertIn("no chains", self.ask("list", "chains", "--type", "none"))

    def test_limit(self) -> None:
        """Where there may be more it is said."""
        self.assertIn("more than these 1", self.ask("list", "chains", "--limit", "1"))

    def test_resource_without_type(self) -> None:
        """A resource without a type of chain, or that is no pair, is refused."""
        said = self.ask("list", "chains", "--resource", "order=18", status=2)
        self.assertIn("--resource needs --type", said)
        self.assertIn("no resource", self.ask("list", "chains", "--resource", "x", status=2))

    def test_states(self) -> None:
        """Chains are counted by type and state."""
        self.assertEqual(
            [("broken", "new", 1), ("easy", "done", 1), ("order", "new", 1)],
            [tuple(each.values()) for each in self.ask_json("list", "states")],
        )
        self.assertIn("easy", self.ask("list", "states"))
        self.assertIn("no chains", self.ask("list", "states", "--type", "none"))

    def test_help(self) -> None:
        """Both are among what can be listed."""
        self.assertLessEqual({"chains", "states"}, set(listing.commands))


class ShowTests(ChainCase):
    """``show`` and ``why`` of chains."""

    def reason(self, chain: Chain) -> Any:
        """Give why a chain does not go on."""
        reason = self.ask_json("why", chain.id)["reason"]
        self.assertIn(reason["code"], CHAIN_CODES)
        return reason

    def test_refused(self) -> None:
        """A chain of which no transition was valid tells which, why, and when it tries again."""
        reason = self.reason(self.order)

        self.assertEqual("refused", reason["code"])
        self.assertIn("Ship (waits for 'payment')", reason["text"])
        self.assertIn("It is tried again at 2027-01-15T09:00:00.000Z", reason["text"])
        self.assertIn("waits for 'payment'", self.ask("why", self.order.id))

    def test_parked(self) -> None:
        """A chain that has failed too often tells the error, and the way out."""
        reason = self.reason(self.broken)

        self.assertEqual("parked", reason["code"])
        self.assertIn("Problem: no", reason["text"])
        self.assertIn(f"twisted-dispatcher resume {self.broken.id}", reason["text"])
        self.assertIn("Traceback", self.ask("show", self.broken.id))

    def test_ended(self) -> None:
        """A chain at its end says so, and shows its history."""
        self.assertEqual("ended", self.reason(self.easy)["code"])
        (move,) = self.ask_json("show", self.easy.id)["history"]
        self.assertEqual(("new", "done", "Close"), tuple(move.values())[1:4])
        self.assertIn("the tests", self.ask("show", self.easy.id))

    def test_event_of_a_chain(self) -> None:
        """The event of a transition is found by the chain's id and version."""
        self.assertIn("event chain/", self.ask("show", f"chain/{self.easy.id}/1"))

    def test_unknown(self) -> None:
        """What is not there is an error with the cure."""
        self.assertIn("`list chains`", self.ask("why", "nothing", status=1))


class ChangingTests(ChainCase):
    """The commands that change a chain."""

    def test_signal(self) -> None:
        """A signal is remembered with its value, and shown."""
        told = self.ask_json("signal", self.order.id, "payment", "--value", '{"sum": 5}')

        self.assertEqual({"payment": {"sum": 5}}, told["signals"])
        self.assertIn('"sum": 5', self.ask("show", self.order.id))

    def test_bad_value(self) -> None:
        """A value that is no JSON is refused."""
        self.ask("signal", self.order.id, "payment", "--value", "{", status=2)

    def test_disable_and_enable(self) -> None:
        """A chain is kept from being executed until it is enabled."""
        disabled = self.ask_json("disable", self.order.id)
        enabled = self.ask_json("enable", self.order.id)

        self.assertEqual("disabled", disabled["reason"]["code"])
        self.assertIn(f"twisted-dispatcher enable {self.order.id}", disabled["reason"]["text"])
        self.assertFalse(enabled["disabled"])

    def test_resume(self) -> None:
        """A chain that was parked is due again."""
        resumed = self.ask_json("resume", self.broken.id)

        self.assertFalse(resumed["parked"])
        self.assertEqual("2027-01-15T08:00:00.000Z", resumed["due"])

    def test_unknown(self) -> None:
        """A chain that is not there is an error."""
        for name, more in (("disable", ()), ("enable", ()), ("resume", ()), ("signal", ("x",))):
            self.assertIn("no chain has the id 'x'", self.ask(name, "x", *more, status=1))


class GraphTests(ChainCase):
    """``graph`` and ``plan``."""

    def test_graph(self) -> None:
        """A configuration in Python is drawn, be it a value or what a function gives."""
        drawn = self.run_command("graph", f"{HERE}:CONFIGS", "--type", "order")

        self.assertIn("    new --> shipped : Ship (waits for payment)\n", drawn)
        self.assertEqual(
            drawn, self.run_command("graph", f"{HERE}:give_configs", "--type", "order")
        )

    def test_python_that_fails(self) -> None:
        """A function that fails is told with its traceback, and so is a name without a module."""
        called = self.run_command("graph", f"{HERE}:give_none", status=1)
        named = self.run_command("graph", "orders", status=2)

        self.assertIn(f"calling {HERE}:give_none failed:\nTraceback", called)
        self.assertIn("or write MODULE:NAME", " ".join(named.split()))

    def test_counts(self) -> None:
        """With a store the numbers of chains are shown."""
        drawn = self.run_command(
            "graph", f"{HERE}:CONFIGS", "--type", "order", "--store", self.url
        )

        self.assertIn('state "new (1)" as new', drawn)

    def file(self, **transitions: list[str]) -> str:
        """Write a configuration of orders into a file."""
        path = Path(self.mktemp()).with_suffix(".json")
        entry = {"chain_type": "order", "transitions": transitions}
        path.write_text(json.dumps({"chains": [entry]}), encoding="utf-8")
        return str(path)

    def test_file(self) -> None:
        """A configuration in a file is drawn; where it has one type, this need not be named."""
        drawn = self.run_command("graph", self.file(new=[f"{HERE}:Close"]))

        self.assertIn("new --> done : Close\n", drawn)

    def test_faults(self) -> None:
        """All faults of a configuration are told."""
        said = self.run_command("graph", self.file(new=["nowhere:X"], lost=[]), status=1)

        self.assertIn("there is no module 'nowhere'", said)

    def test_unknown_type(self) -> None:
        """A type that is not configured, or not named among several, is an error."""
        said = self.run_command("graph", f"{HERE}:CONFIGS", status=1)

        self.assertIn("(known: 'order', 'broken', 'easy')", said)

    def test_no_such_name(self) -> None:
        """A name that leads nowhere is an error."""
        self.run_command("graph", f"{HERE}:NOTHING", status=2)

    def test_plan(self) -> None:
        """It is told what would become of chains whose state is gone, and nothing is changed."""
        path = self.file(new=[f"{HERE}:Close"])
        told = self.ask("plan", path)
        self.assertIn("no chain of type order is in a state that is gone", told)

        self.rename_in_store("old")
        self.assertIn("nothing: it is gone", self.ask("plan", path, status=1))
        renamed = self.ask_json("plan", path, "--rename", "old=new")

        self.assertEqual([{"old": "old", "new": "new", "chains": 1}], renamed["renamed"])
        self.assertEqual([], renamed["vanished"])
        self.assertIn("old", self.ask("list", "states"))

    def test_bad_rename(self) -> None:
        """A rename that renames nothing, or to nowhere, is an error."""
        path = self.file(new=[f"{HERE}:Close"])
        self.ask("plan", path, "--rename", "old", status=2)
        self.assertIn(
            "cannot have states renamed", self.ask("plan", path, "--rename", "a=b", status=1)
        )

    def rename_in_store(self, state: str) -> None:
        """Have the order be in another state."""
        going = [state]
        renamed = {"new": state}
        chains = ChainDispatcher("order", CONFIGS, dispatcher=self.dispatcher).store
        self.until(chains.adopt("order", "other", renamed, going, self.clock.seconds()))
