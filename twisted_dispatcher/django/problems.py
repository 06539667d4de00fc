"""Telling what was not recorded of the events of sources, by Python's own logging."""

from __future__ import annotations

import logging
from typing import Any, Final

from django.db import DatabaseError

from twisted_dispatcher.errors import SourceBroke

logger: Final = logging.getLogger("twisted_dispatcher.django")


def tell(source: str, key: str | None, error: BaseException | None) -> None:
    """
    Log that an event was not recorded, or that a source has given no more of them.

    :param source: the name of the source.
    :param key: of the event, if it has one.
    """
    if isinstance(error, SourceBroke):
        logger.error("%s broke; the rest goes on", source, exc_info=error)
    else:
        what = "without a key" if key is None else key
        message = "Event %s from %s is not recorded; the rest goes on"
        logger.error(message, what, source, exc_info=error)


def is_of_database(error: Exception) -> bool:
    """Tell whether an event was not written down for what the database refused to a lazy value."""
    return isinstance(error, DatabaseError) or isinstance(error.__cause__, DatabaseError)


def key_of(declaration: Any) -> str | None:
    """Give the key of what may be no declaration at all."""
    try:
        key = declaration["key"]
    except Exception:
        return None
    return key if isinstance(key, str) else None
