"""Who may watch a dispatcher."""

from __future__ import annotations

from twisted_dispatcher.errors import InvalidOptions
from twisted_dispatcher.interfaces import IObserver


def check_observer(observer: IObserver) -> IObserver:
    """
    Give the observer back if it has all methods of one. It need not say that it provides them.

    :raises InvalidOptions: naming those that are missing.
    """
    missing = [name for name in IObserver if not callable(getattr(observer, name, None))]
    if missing:
        raise InvalidOptions(
            f"an observer provides IObserver, and {observer!r} has no {', '.join(missing)}: give "
            "it these methods, which may do nothing"
        )
    return observer
