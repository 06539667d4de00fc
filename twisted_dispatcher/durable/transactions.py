"""The transaction that an exactly-once handler is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted_dispatcher.records import Acceptance

# Accepts an event within a store's transaction: the store's side of it, the event, its key, its
# time, and its details.
AcceptIn = Callable[[Any, Any, "str | None", Any, dict[str, Any]], Acceptance]


class Transaction:
    """
    What a handler writes here, and the settling of its delivery, commit together or not at all.

    It is valid until the handler returns, and in the handler's own thread only.
    """

    __slots__ = ("_accept_in", "_store")

    def __init__(self, store: Any, accept_in: AcceptIn) -> None:
        """:param store: the store's own side of the transaction."""
        self._store = store
        self._accept_in = accept_in

    @property
    def connection(self) -> Any:
        """The driver's connection. Committing on it is the store's business."""
        return self._store.connection

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """
        Execute a statement, with the driver's own placeholders.

        :return: the driver's cursor.
        """
        return self._store.execute(sql, parameters)

    def accept_event(
        self, event: Any, *, key: str | None = None, at: Any = None, **details: Any
    ) -> Acceptance:
        """
        Accept an event that is there if, and only if, the transaction commits.

        :raises: as the dispatcher's own `accept_event` does.
        """
        return self._accept_in(self._store, event, key, at, details)
