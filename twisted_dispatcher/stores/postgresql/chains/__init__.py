"""Chains in PostgreSQL; see `twisted_dispatcher.chainstore.IChainStore`."""

from twisted_dispatcher.stores.postgresql.chains.store import MESSAGES, PostgreSQLChains

__all__ = ["MESSAGES", "PostgreSQLChains"]
