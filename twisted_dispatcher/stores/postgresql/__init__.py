"""
The store in a PostgreSQL database, which several machines may share.

Groups of requests are done together. What is asked for most, to accept an event and to settle its
only delivery, is one statement, sent and answered on the reactor (`wire`, `post`). The rest is
done by a few threads, each with a connection of its own, and answered in the reactor's thread
(`crew`, `office`). One more connection, on the reactor, listens for what others have committed.
"""

from twisted_dispatcher.stores.postgresql.store import PostgreSQLStore, open_postgresql

__all__ = ["PostgreSQLStore", "open_postgresql"]
