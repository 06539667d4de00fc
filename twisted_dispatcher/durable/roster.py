"""The durable handlers of one dispatcher, by the names that tell their deliveries apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from twisted_dispatcher.errors import NameTaken
from twisted_dispatcher.registration.handlers import Handler


class Roster:
    """
    Knows the durable handlers that are registered, by name.

    A handler that is removed, or collected in whatever thread, only says so itself. So those that
    are gone are left out when somebody asks for all, and forgotten when they may be half of what
    is kept: that keeps the cost of a registration the same, however many there are.
    """

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._enough = 64

    def check(self, new: Iterable[Handler], old: Collection[int]) -> None:
        """
        Refuse handlers whose name another one has.

        :param old: the ids of those that are about to be removed.
        :raises NameTaken: for the first of them.
        """
        names = set()
        for handler in new:
            if handler.options.durable is not False:
                name = handler.name
                holder = self._handlers.get(name)
                is_held = holder is not None and not holder.retired and holder.id not in old
                if is_held or name in names:
                    raise NameTaken(name)
                names.add(name)

    def add(self, new: Iterable[Handler]) -> None:
        """Take in handlers that were registered."""
        for handler in new:
            if handler.options.durable is not False:
                self._handlers[handler.name] = handler
        if len(self._handlers) > self._enough:
            self._enough = 2 * len(self.all()) + 64

    def all(self) -> dict[str, Handler]:
        """Give all that are registered now, by name."""
        for name in [name for name, each in self._handlers.items() if each.retired]:
            del self._handlers[name]
        return dict(self._handlers)
