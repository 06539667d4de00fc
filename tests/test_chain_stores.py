"""The stores' chains, held against the contract."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.postgresql import PostgreSQL
from tests.test_store_postgresql import wired
from twisted_dispatcher import open_store
from twisted_dispatcher.chainstore import IChainStore
from twisted_dispatcher.testing.chainstores import ChainStoreContract, SQLChainContract


class InterfaceTests:
    """What stores say to provide."""

    chains: Any

    async def test_interface(self) -> None:
        """It provides what it says."""
        verifyObject(IChainStore, self.chains)


class InMemoryTests(ChainStoreContract, SQLChainContract, InterfaceTests, TestCase):
    """The contract, in memory."""

    def make_store(self) -> Any:
        return open_store("sqlite://")


class FileTests(ChainStoreContract, SQLChainContract, InterfaceTests, TestCase):
    """The contract, on a file."""

    def make_store(self) -> Any:
        self.url = f"sqlite:///{self.mktemp()}.db"
        return open_store(self.url)

    def another_store(self) -> Any:
        return open_store(self.url)


class PostgreSQLTests(PostgreSQL, ChainStoreContract, SQLChainContract, InterfaceTests, TestCase):
    """The contract, on a server, where threads do the work."""

    def make_store(self) -> Any:
        return self.prepared(open_store(self.have_tables()))

    def another_store(self) -> Any:
        return self.prepared(open_store(self.url))

    def prepared(self, store: Any) -> Any:
        """Have a store do everything in threads."""
        store._crew.wires.close()
        return store


class WiredTests(PostgreSQLTests):
    """The contract, on a server, where the reactor has a connection."""

    def setUp(self) -> Any:
        """Make the store, and wait until it has."""
        made = maybeDeferred(super().setUp)
        return made.addCallback(lambda _: Deferred.fromCoroutine(wired(self.store)))

    def prepared(self, store: Any) -> Any:
        """Leave a store as it is."""
        return store
