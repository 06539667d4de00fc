"""Desks for work that is done for one request after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.python.failure import Failure

from twisted_dispatcher.errors import PayloadGone, UnknownChain, UnknownDelivery, WrongStatus
from twisted_dispatcher.stores.gathering import Work
from twisted_dispatcher.stores.postgresql.ledger import Ledger
from twisted_dispatcher.stores.postgresql.office import Desk

# Misuse that is found before anything is written: it harms nobody who is in the same group.
_REFUSED: Final = (UnknownDelivery, UnknownChain, WrongStatus, PayloadGone)


def each(do: Callable[..., Any]) -> Work:
    """Make the work of requests that are done one after another."""

    def work(ledger: Ledger, requests: Sequence[Any]) -> list[Any]:
        results = []
        for request in requests:
            try:
                results.append(do(ledger, *request))
            except _REFUSED:
                results.append(Failure())
        return results

    return work


def reads(do: Callable[..., Any]) -> Desk:
    """Make a desk at which is only read."""
    return Desk(each(do), at_once=2, reads=True)


def writing(do: Callable[..., Any], **options: Any) -> Desk:
    """Make a desk at which is written."""
    return Desk(each(do), **options)
