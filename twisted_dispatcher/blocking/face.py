"""A blocking face over an object of the reactor's thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any


class Face:
    """
    Something of the reactor's thread, whose methods block and take ``timeout``.

    What is no method is read as it is; names with an underscore are not for others. A method that
    takes a ``timeout`` of its own is called through `Connection.call` instead.
    """

    def __init__(self, connection: Any, thing: Any) -> None:
        """
        :param connection: calls its methods.
        :param thing: belongs to the reactor's thread.
        """
        self._connection = connection
        self._thing = thing

    def __repr__(self) -> str:
        return f"<blocking {self._thing!r}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._thing, name)
        return self._blocking(value) if callable(value) else value

    def __dir__(self) -> list[str]:
        return dir(self._thing)

    def _blocking(self, method: Callable[..., Any]) -> Callable[..., Any]:
        connection = self._connection

        @wraps(method)
        def call(*arguments: Any, timeout: float | None = None, **keywords: Any) -> Any:
            return connection.call(method, *arguments, timeout=timeout, **keywords)

        return call
