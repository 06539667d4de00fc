"""
What happens after a commit, and when something counts as committed in tests.

Django's `TestCase` runs a test in a transaction that is rolled back, so that what waits for a
commit (`on_commit`) never happens there. For what is called through `at_commit` the end of the
outermost block of the code under test counts as the commit: what is rolled back in it never
happens, and what happens sees all of the block's writes, as it would in production.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.transaction import Atomic

_HELD: Final = "_twisted_dispatcher_held"


class _AtCommit:
    """What is called at a commit, to be known among other callbacks."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function

    def __call__(self) -> None:
        self._function()


def after_commit(function: Callable[[], object], using: str) -> None:
    """
    Have a function called after the present transaction has committed; what it raises is logged.

    It comes before what others wait with for the commit: the first of these that raises keeps
    Django from calling those behind it. Within the transaction of a test it comes behind them,
    where `captureOnCommitCallbacks` looks for what is new. Where transactions are managed by hand,
    of which Django does not see the end, it is called now.

    :param function: has a ``__qualname__``, by which Django calls it when it fails.
    """
    connection = connections[using]
    if connection.in_atomic_block and connection.commit_on_exit:
        connection.on_commit(function, robust=True)
        if not _is_in_test(connection):
            connection.run_on_commit.insert(0, connection.run_on_commit.pop())
    else:
        # Without a transaction it is committed already.
        function()


def _is_in_test(connection: Any) -> bool:
    """Tell whether the transaction that is open was begun by a test case."""
    # While it commits, there is no block any more.
    return bool(connection.atomic_blocks) and connection.atomic_blocks[0]._from_testcase is True


def at_commit(function: Callable[[], object], using: str) -> None:
    """
    Have a function called when the present transaction commits, or counts as committed.

    What it raises is raised there.
    """
    connection = connections[using]
    if not connection.in_atomic_block:
        function()
        return
    watch()
    connection.on_commit(_AtCommit(function))
    _call_if_committed(using)


def _call_if_committed(using: str) -> None:
    connection = connections[using]
    if not _counts_as_committed(connection):
        return
    due = [each[1] for each in connection.run_on_commit if isinstance(each[1], _AtCommit)]
    connection.run_on_commit = [each for each in connection.run_on_commit if each[1] not in due]
    for each in due:
        each()


def hold(connection: Any) -> None:
    """Have nothing count as committed until `release`: it may yet be undone."""
    if watch.cache_info().currsize:
        vars(connection)[_HELD] = vars(connection).get(_HELD, 0) + 1


def release(connection: Any) -> None:
    """Let count as committed what does."""
    if vars(connection).get(_HELD):
        vars(connection)[_HELD] -= 1
        _call_if_committed(connection.alias)


def _counts_as_committed(connection: Any) -> bool:
    """Tell whether no transaction is open but those that a test case has opened."""
    return (
        bool(connection.atomic_blocks)
        and not connection.needs_rollback
        and not vars(connection).get(_HELD)
        and all(each._from_testcase for each in connection.atomic_blocks)
    )


@lru_cache(maxsize=1)
def watch() -> None:
    """
    See to it, once in a process, that the end of every block is noticed.

    Blocks that are open already are not noticed; so it is called before anything is recorded.
    """
    leave = Atomic.__exit__

    @wraps(leave)
    def watched(self: Any, kind: Any, error: Any, traceback: Any) -> Any:
        answer = leave(self, kind, error, traceback)
        if kind is None:
            _call_if_committed(self.using or DEFAULT_DB_ALIAS)
        return answer

    Atomic.__exit__ = watched
