"""The stores' trigger sessions, held against the contract."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.postgresql import PostgreSQL
from twisted_dispatcher import open_store
from twisted_dispatcher.testing.triggerstores import TriggerStoreContract
from twisted_dispatcher.triggerstore import ITriggerStore


class InterfaceTests:
    """What stores say to provide."""

    triggers: Any

    async def test_interface(self) -> None:
        """It provides what it says."""
        verifyObject(ITriggerStore, self.triggers)


class InMemoryTests(TriggerStoreContract, InterfaceTests, TestCase):
    """The contract, in memory."""

    def make_store(self) -> Any:
        return open_store("sqlite://")


class FileTests(TriggerStoreContract, InterfaceTests, TestCase):
    """The contract, on a file."""

    def make_store(self) -> Any:
        self.url = f"sqlite:///{self.mktemp()}.db"
        return open_store(self.url)

    def another_store(self) -> Any:
        return open_store(self.url)


class PostgreSQLTests(PostgreSQL, TriggerStoreContract, InterfaceTests, TestCase):
    """The contract, on a server."""

    def make_store(self) -> Any:
        return open_store(self.have_tables())

    def another_store(self) -> Any:
        return open_store(self.url)
