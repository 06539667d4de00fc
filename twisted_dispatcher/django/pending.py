"""
Events that wait for their transaction to be about to commit.

Nobody asks, when an instance is saved, what became of its events. So they wait here, and are
recorded by as few statements as can be just before the commit: those of a hundred saves by one
instead of a hundred, and on PostgreSQL by the very message that commits. Their keys, and lanes,
are locked for no longer than the commit takes.

Nothing else is to be noticed of that. They wait among Django's own callbacks (`on_commit`), which
it forgets with what is rolled back. Who looks into the tables of events through Django finds them
recorded. They are recorded before a savepoint is made as well: what waits is never older than the
innermost savepoint, and goes with it when that is rolled back, also by a statement written by
hand. A COMMIT or ROLLBACK written by hand is taken for what it is, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from django.db import DatabaseError

from twisted_dispatcher.django.conf import AT_ONCE, conf
from twisted_dispatcher.django.outbox import Draft, Recorded, record_drafts, record_on
from twisted_dispatcher.django.problems import tell

# So many wait at most: their bodies are in memory, and a statement for more is hardly cheaper.
MOST_PENDING: Final = 100

# The first word of a statement, after white space and comments.
_WORD: Final = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)", re.DOTALL)
# Statements that end what waits was saved in, or begin what may be rolled back without it.
_KEEPING: Final = frozenset({"SAVEPOINT", "COMMIT", "END", "PREPARE"})
_LOSING: Final = frozenset({"ROLLBACK", "ABORT"})

_ATTRIBUTE: Final = "_twisted_dispatcher_pending"


def record_at_commit(drafts: Sequence[Draft], connection: Any) -> None:
    """
    Record events in the transaction that is open on a connection of Django's, before it commits.

    They are recorded at once where no transaction is open, or none whose end is to be noticed, or
    where somebody waits for them: in tests. That a key is that of another group's event is logged.

    :raises django.db.DatabaseError: when they cannot be stored. Later on, whoever commits, or uses
        the transaction, is told.
    """
    if not drafts:
        return
    given = conf()
    using = connection.alias
    if using == given.database and given.run != AT_ONCE and _will_commit(connection):
        _pending_on(connection).add(drafts)
    else:
        _tell_collisions(record_drafts(drafts, using))


def _will_commit(connection: Any) -> bool:
    """Tell whether a transaction of Django's is open, and none of a test case around it."""
    blocks = connection.atomic_blocks
    return (
        bool(blocks)
        and connection.commit_on_exit
        and not blocks[0]._from_testcase
        and not _is_in_drivers_block(connection)
    )


def _is_in_drivers_block(connection: Any) -> bool:
    """Tell whether psycopg's own ``transaction()``, of which nothing is heard, is gone through."""
    return bool(getattr(connection.connection, "_num_transactions", 0))


def _ends_something(text: str) -> bool:
    """
    Tell whether several statements are one text, among which may be one that ends something.

    What is recorded before that is rolled back by it, if it is one that does so.
    """
    if ";" not in text:
        return False
    words = {_WORD.match(each)[1].upper() for each in text.split(";")}  # type: ignore[index]
    return not words.isdisjoint(_KEEPING | _LOSING)


class _Waiting:
    """Some events among Django's callbacks, of one block."""

    def __init__(self, using: str) -> None:
        self.drafts: list[Draft] = []
        self._using = using

    def __call__(self) -> None:
        """Record what was passed by, since the transaction was committed behind Django's back."""
        _tell_collisions(record_drafts(self.drafts, self._using))


class _Pending:
    """The events that wait on one connection; it hears of statements and of the commit."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._count = 0
        self._commit: Callable[[], None] = connection.commit
        connection.commit = self.commit

    def add(self, drafts: Sequence[Draft]) -> None:
        """Have events wait; where there are many, they are recorded now."""
        if self._hear not in self._connection.execute_wrappers:
            # The first, since who takes one away, after a while, takes the last.
            self._connection.execute_wrappers.insert(0, self._hear)
            self._count = 0
        self._waiting().drafts.extend(drafts)
        self._count += len(drafts)
        if self._count >= MOST_PENDING:
            self._record()

    def _waiting(self) -> _Waiting:
        """Give the last callback, if it is one of ours and of this very block; or a new one."""
        connection = self._connection
        if connection.run_on_commit:
            savepoints, callback = connection.run_on_commit[-1][:2]
            if isinstance(callback, _Waiting) and savepoints == set(connection.savepoint_ids):
                return callback
        waiting = _Waiting(connection.alias)
        connection.on_commit(waiting)
        return waiting

    def commit(self) -> None:
        """Record what waits, and commit."""
        connection = self._connection
        if self._hear in connection.execute_wrappers:
            # As it is within the block: what follows on new events waits for this commit, too.
            connection.in_atomic_block = True
            try:
                self._record(and_commit=True)
            except DatabaseError:
                raise
            except BaseException:
                connection.in_atomic_block = False
                connection.rollback()
                raise
            finally:
                connection.in_atomic_block = False
        self._commit()

    def _hear(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        """Record what waits before somebody looks at it, commits, or makes a savepoint."""
        if _is_in_drivers_block(self._connection):
            # What waits is older than that, and would go with it.
            return execute(sql, params, many, context)
        text = self._text_of(sql)
        found = _WORD.match(text)
        word = found[1].upper() if found else ""
        if word in _LOSING:
            self._take()
        elif word in _KEEPING or "twisted_dispatcher_" in text or _ends_something(text):
            self._record()
        return execute(sql, params, many, context)

    def _text_of(self, sql: Any) -> str:
        """Give the text of a statement, which psycopg takes in other forms as well."""
        if isinstance(sql, str):
            return sql
        if isinstance(sql, bytes):
            return sql.decode(errors="replace")
        return str(sql.as_string(self._connection.connection))

    def _record(self, and_commit: bool = False) -> None:
        callbacks = self._connection.run_on_commit
        drafts = [draft for waiting in self._take() for draft in waiting.drafts]
        if not drafts:
            return
        try:
            recorded = record_on(self._connection, drafts, and_commit)
        except BaseException:
            # Whoever goes on nevertheless finds them waiting.
            self._connection.run_on_commit = callbacks
            self._connection.execute_wrappers.insert(0, self._hear)
            raise
        _tell_collisions(recorded)

    def _take(self) -> list[_Waiting]:
        """Give what waits, and have it wait no more."""
        connection = self._connection
        waiting = [each[1] for each in connection.run_on_commit if isinstance(each[1], _Waiting)]
        connection.run_on_commit = [
            each for each in connection.run_on_commit if not isinstance(each[1], _Waiting)
        ]
        connection.execute_wrappers.remove(self._hear)
        return waiting


def _pending_on(connection: Any) -> _Pending:
    pending: _Pending | None = vars(connection).get(_ATTRIBUTE)
    if pending is None:
        pending = _Pending(connection)
        setattr(connection, _ATTRIBUTE, pending)
    return pending


def _tell_collisions(recorded: Sequence[Recorded]) -> None:
    """Log the events whose keys are those of other groups' events."""
    for each in recorded:
        if each.collision is not None:
            tell(each.draft.source, each.draft.new.key, each.collision)
