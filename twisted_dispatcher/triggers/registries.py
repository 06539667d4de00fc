"""
Managers, storages and task runners by name.

A name is that of an entry point (``twisted_dispatcher.managers``, ``.storages``, ``.runners``), or
one that was registered in this process. Sessions remember their types by these names, so that a
task on another machine finds them again.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, TypeVar

from twisted_dispatcher.errors import UnknownType
from twisted_dispatcher.triggers.naming import name_of, named

AnyType = TypeVar("AnyType", bound=Callable[..., Any])


class TypeRegistry:
    """Types of one kind, by name."""

    def __init__(self, kind: str, group: str) -> None:
        """
        :param kind: what they are called in errors.
        :param group: the group of entry points.
        """
        self._kind = kind
        self._group = group
        self._registered: dict[str, Callable[..., Any]] = {}
        self._found: dict[str, Any] | None = None

    def register(self, name: str, cls: AnyType | None = None) -> Any:
        """Register a type in this process. Without `cls`, give a decorator that does so."""
        if cls is None:
            return lambda each: self.register(name, each)
        self._registered[name] = cls
        return cls

    def refresh(self) -> None:
        """Read the entry points again."""
        self._found = None

    def names(self) -> list[str]:
        """List the names."""
        return sorted({*self._registered, *self._points()})

    def get_class(self, name: str) -> Callable[..., Any]:
        """
        Give the type of a name, which may be ``"package.module:Type"`` as well.

        :raises UnknownType: when there is none.
        """
        if name in self._registered:
            return self._registered[name]
        point = self._points().get(name)
        if point is not None:
            self._registered[name] = point.load()
            return self._registered[name]
        if isinstance(name, str) and ":" in name:
            found: Callable[..., Any] = named(name)
            if callable(found):
                return found
        raise UnknownType(self._kind, name, self.names())

    def get(self, name: str, *arguments: Any, **options: Any) -> Any:
        """
        Make something of the type that has a name.

        :raises UnknownType: when there is none.
        """
        return self.get_class(name)(*arguments, **options)

    def name_for(self, cls: Callable[..., Any]) -> str:
        """Give the name by which a type is found again; one that nobody has named gets one."""
        for name, each in self._registered.items():
            if each is cls:
                return name
        name = name_of(cls)
        for point in self._points().values():
            if point.value == name:
                name = point.name
        self._registered[name] = cls
        return name

    def _points(self) -> dict[str, Any]:
        if self._found is None:
            self._found = {point.name: point for point in entry_points(group=self._group)}
        return self._found


trigger_managers = TypeRegistry("trigger manager", "twisted_dispatcher.managers")
storage_backends = TypeRegistry("storage backend", "twisted_dispatcher.storages")
task_runners = TypeRegistry("task runner", "twisted_dispatcher.runners")
