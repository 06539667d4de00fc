"""
The store in one SQLite file, or in memory.

One connection writes, and commits in the reactor's own thread at the end of the turn: a group
takes one or two milliseconds, and a thread of its own would starve under a busy reactor, which
takes the interpreter's lock back again and again. A second connection reads.
"""

from twisted_dispatcher.stores.sqlite.store import SQLiteStore, open_sqlite

__all__ = ["SQLiteStore", "open_sqlite"]
