"""Trigger sessions in PostgreSQL."""

from twisted_dispatcher.stores.postgresql.triggers.store import PostgreSQLTriggers

__all__ = ["PostgreSQLTriggers"]
