"""What a sweep goes through: whose objects, and under which name its place is kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import attrs

from twisted_dispatcher.errors import InvalidSource, StoreWithoutSweeps
from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.sources.registered import Sender, Senders
from twisted_dispatcher.sweepstore import ISweepStore

# Of these alone the length is known without a search.
_COUNTED = (list, tuple, set, frozenset, dict, range)


@attrs.frozen(eq=False)
class Route:
    """
    The objects of one sender that a sweep goes through.

    :ivar objects: the objects, or a function that gives them.
    :ivar position: see `Sender`; ``objects`` is called with the last one, where there is one.
    :ivar name: under which the place is kept in `places`; None where it is not.
    """

    sender: Sender
    objects: Any
    position: Callable[[Any], Any] | None
    name: str | None
    places: ISweepStore | None
    resumes: bool

    def find(self, after: Any) -> Any:
        """Give the objects behind a position, or a Deferred of them."""
        if not callable(self.objects):
            return self.objects
        return self.objects() if self.position is None else self.objects(after)

    @property
    def total(self) -> int | None:
        """How many objects there are, if that is known."""
        return len(self.objects) if isinstance(self.objects, _COUNTED) else None


def routes(
    senders: Senders,
    store: IStore,
    sender: Hashable,
    objects: Any,
    name: str | None,
    resume: bool,
) -> Sequence[Route]:
    """
    Find what a sweep goes through.

    :raises UnknownSender, InvalidSource, StoreWithoutSweeps: when it cannot do that.
    """
    places = getattr(store, "sweeps", None)
    if places is None and (resume or name is not None):
        raise StoreWithoutSweeps(store)
    if sender is None and objects is None and name is None:
        return [_of_all_objects(each, None, places, resume) for each in senders]
    found = senders.only() if sender is None else senders.get(sender)
    if objects is None:
        return [_of_all_objects(found, name, places, resume)]
    if resume and name is None:
        raise InvalidSource(
            "a sweep of some objects is resumed by its name: give it one with name=, each time"
        )
    return [Route(found, objects, None, name, places, resume)]


def _of_all_objects(
    sender: Sender, name: str | None, places: ISweepStore | None, resumes: bool
) -> Route:
    if sender.objects is None:
        raise InvalidSource(
            f"nobody knows what all objects of {sender.name!r} are: give them to "
            "register_source(objects=), or to sweep(sender, objects)"
        )
    return Route(sender, sender.objects, sender.position, name or sender.name, places, resumes)
