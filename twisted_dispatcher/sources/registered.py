"""Which sources there are: the objects that they are about, and how these are found."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import attrs

from twisted_dispatcher.errors import InvalidSource, UnknownSender
from twisted_dispatcher.registration.handlers import callable_name
from twisted_dispatcher.sources.reading import Items

Source = Callable[[Any], Any]


@attrs.define
class Sender:
    """
    A kind of object, and the sources that say what has happened to one.

    :ivar name: a text as it is, or the module and name of a class or function.
    :ivar objects: all of them: an iterable that can be iterated over again, or what gives one.
    :ivar position: gives what tells where an object stands among all; then `objects` is called
        with that of the last object that needs no more looking at, or with None.
    """

    name: str
    objects: Items | Callable[..., Any] | None = None
    position: Callable[[Any], Any] | None = None
    sources: list[Source] = attrs.field(factory=list)

    def take(
        self,
        source: Source,
        objects: Items | Callable[..., Any] | None,
        position: Callable[[Any], Any] | None,
    ) -> None:
        """
        Add a source; objects and position are those of all sources of the sender.

        :raises InvalidSource: where they cannot be that, or are others than before.
        """
        _check(self.name, source, objects, position)
        for ours, given in ((self.objects, objects), (self.position, position)):
            if ours is not None and given is not None and ours is not given:
                raise InvalidSource(
                    f"the sender {self.name!r} has other objects already, and has the same ones "
                    "for all of its sources: give them once"
                )
        self.objects = self.objects if objects is None else objects
        self.position = self.position if position is None else position
        self.sources.append(source)


class Senders:
    """The senders of one `EventSources`, in the order in which they were registered."""

    def __init__(self) -> None:
        self._senders: dict[Hashable, Sender] = {}

    def __iter__(self) -> Iterator[Sender]:
        return iter(self._senders.values())

    def add(
        self,
        sender: Hashable,
        source: Source,
        objects: Items | Callable[..., Any] | None,
        position: Callable[[Any], Any] | None,
    ) -> None:
        """
        Register a source.

        :raises InvalidSource: when it cannot be one; nothing is registered then.
        """
        found = self._senders.get(sender)
        if found is None:
            found = Sender(self._free_name(sender))
        found.take(source, objects, position)
        self._senders[sender] = found

    def get(self, sender: Hashable) -> Sender:
        """
        Give a sender, by itself or by its name.

        :raises UnknownSender: when it has no source.
        """
        if sender in self._senders:
            return self._senders[sender]
        for each in self:
            if each.name == sender:
                return each
        raise UnknownSender(_name_of(sender), [each.name for each in self])

    def only(self) -> Sender:
        """
        Give the sender, where there is one.

        :raises InvalidSource: where there is none, or where there are several.
        """
        if len(self._senders) != 1:
            raise InvalidSource(
                "say whose objects these are, with sender=: sources are registered for "
                f"{', '.join(each.name for each in self) or 'nobody'}"
            )
        return next(iter(self))

    def _free_name(self, sender: Hashable) -> str:
        name = _name_of(sender)
        if any(each.name == name for each in self):
            raise InvalidSource(
                f"another sender is called {name!r}, by which a sweep is resumed: register it as "
                "sender='some other name'"
            )
        return name


def _name_of(sender: Hashable) -> str:
    if isinstance(sender, str) and sender:
        return sender
    if callable(sender):
        return callable_name(sender)
    raise InvalidSource(
        f"a sender is a class or a name, not {sender!r}: what its objects have in common"
    )


def _check(name: str, source: Any, objects: Any, position: Any) -> None:
    if not callable(source):
        raise InvalidSource(f"a source is a function of an object, not {type(source).__name__}")
    if position is not None and not (callable(position) and callable(objects)):
        raise InvalidSource(
            f"the sender {name!r} has a position, by which its objects are found: position is a "
            "function of an object, and objects a function of the last position, or of None"
        )
    if objects is not None and not callable(objects) and is_spent_by_use(objects):
        raise InvalidSource(
            f"the objects of {name!r} can be gone through but once: give a function that finds "
            "them, such as lambda: find_objects()"
        )


def is_spent_by_use(objects: Any) -> bool:
    """Tell whether something can be iterated over only once."""
    return hasattr(objects, "__next__") or hasattr(objects, "__anext__")
