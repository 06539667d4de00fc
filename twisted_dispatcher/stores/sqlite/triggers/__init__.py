"""Trigger sessions in SQLite."""

from twisted_dispatcher.stores.sqlite.triggers.store import SQLiteTriggers

__all__ = ["SQLiteTriggers"]
