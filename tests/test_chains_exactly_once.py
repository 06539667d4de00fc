"""Callbacks that are called within the transaction that stores their transition."""

from __future__ import annotations

from typing import Any

from tests.chains import ChainTestCase, transition
from twisted_dispatcher import HandlerOptions
from twisted_dispatcher.chains import DONE, NEW, exactly_once
from twisted_dispatcher.errors import AwaitableFromRunner, StoreUnavailable, TransactionMisused

GRAPH: Any = {NEW: [transition("Go", "gone")], "gone": [transition("Close", DONE)]}


@exactly_once
def note(made: Any, transaction: Any, who: str = "me") -> None:
    """Write down that a transition was made."""
    transaction.execute("CREATE TABLE IF NOT EXISTS noted (name TEXT, who TEXT)")
    transaction.execute("INSERT INTO noted VALUES (?, ?)", (made.name, who))


class ExactlyOnceTests(ChainTestCase):
    """What a callback writes is there if, and only if, the transition is."""

    def noted(self) -> list[Any]:
        """Give what was written down."""
        connection = self.dispatcher.backstage.store._ledger.connection  # type: ignore[attr-defined]
        tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'noted'").fetchall()
        found: list[Any] = (
            connection.execute("SELECT name, who FROM noted").fetchall() if tables else []
        )
        return found

    def test_marked(self) -> None:
        """A callback that is marked so is given the transaction."""
        result = self.execute(self.chains(GRAPH), callback=note, callback_args={"who": "ada"})

        self.assertEqual(("gone", [("Go", "ada")]), (result.state, self.noted()))

    def test_own(self) -> None:
        """A transition's own callback is, if the class says so."""

        def own(self: Any, transaction: Any, who: str) -> None:
            note(self, transaction, who)

        go = transition("Go", "gone", callback=own, guarantee="exactly-once")
        chains = self.chains({NEW: [go], "gone": []})
        self.execute(chains, callback=self.callback, callback_args={"who": "ada"})

        self.assertEqual(([], [("Go", "ada")]), (self.called, self.noted()))

    def test_done(self) -> None:
        """A move to DONE calls nothing."""
        chains = self.chains(GRAPH)
        self.get(chains)
        result = self.wait(chains.run_chain(callback=note))

        self.assertEqual((DONE, [("Go", "me")]), (result.state, self.noted()))

    def test_fails(self) -> None:
        """When it raises nothing of it is kept."""

        @exactly_once
        def fails(made: Any, transaction: Any) -> None:
            note(made, transaction)
            raise OSError

        chains = self.chains(GRAPH)
        self.assertRaises(OSError, self.execute, chains, callback=fails)
        self.assertEqual(([], NEW), (self.noted(), self.stored(chains).state))
        self.execute(chains, callback=note)

        self.assertEqual([("Go", "me")], self.noted())

    def test_commit_fails(self) -> None:
        """When the commit fails nothing of it is kept either."""
        chains = self.chains(GRAPH)
        self.get(chains)
        store: Any = self.dispatcher.backstage.store

        def fail(point: str) -> None:
            if point == "before insert history":
                raise StoreUnavailable("away")

        store.on_point = fail
        self.assertRaises(StoreUnavailable, self.execute, chains, callback=note)
        store.on_point = None

        self.assertEqual([], self.noted())
        self.execute(chains, callback=note)
        self.assertEqual([("Go", "me")], self.noted())

    def test_waits(self) -> None:
        """It must not want to be waited for."""

        @exactly_once
        async def waits(made: Any, transaction: Any) -> None:
            raise AssertionError

        chains = self.chains(GRAPH)
        self.assertRaises(AwaitableFromRunner, self.execute, chains, callback=waits)
        self.assertEqual(NEW, self.stored(chains).state)

    def test_commits(self) -> None:
        """It must not commit."""

        @exactly_once
        def commits(made: Any, transaction: Any) -> None:
            transaction.execute("COMMIT")

        self.assertRaises(TransactionMisused, self.execute, self.chains(GRAPH), callback=commits)

    def test_events(self) -> None:
        """The events that it accepts are dispatched when the transition is stored."""

        @exactly_once
        def accepts(made: Any, transaction: Any) -> None:
            transaction.accept_event("mail", key="mail", state="mail")

        self.chains(GRAPH)
        self.dispatcher.on(state="mail", options=HandlerOptions(name="mail"))(self.called.append)
        self.execute(self.chains(GRAPH), callback=accepts)
        self.clock.advance(1)

        self.assertEqual(["mail"], self.called)
