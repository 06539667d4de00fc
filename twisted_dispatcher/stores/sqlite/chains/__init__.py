"""Chains in SQLite; see `twisted_dispatcher.chainstore.IChainStore`."""

from twisted_dispatcher.stores.sqlite.chains.store import SQLiteChains

__all__ = ["SQLiteChains"]
