"""What a durable dispatcher can be made of; settings are held against the same rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twisted_dispatcher.amounts import ABOVE_0, FROM_0, Rule, flag, seconds
from twisted_dispatcher.errors import InvalidOptions
from twisted_dispatcher.stores.urls import without_password

RULES: Final[Mapping[str, Rule]] = {
    "worker": flag,
    "lease": seconds(ABOVE_0),
    "drain": seconds(FROM_0),
    "bury_after": seconds(ABOVE_0, optional=True),
    "keep_payloads": seconds(FROM_0, optional=True),
    "keep_keys": seconds(FROM_0, optional=True),
}


def check_store(store: Any) -> None:
    """
    Refuse what is plainly no store. One need not say that it provides `IStore`.

    :raises InvalidOptions: with the cure, and without a password that is in a URL.
    """
    if isinstance(store, str):
        raise InvalidOptions(f"store is no URL: give open_store({without_password(store)})")
    if not callable(getattr(store, "accept", None)):
        raise InvalidOptions(
            f"store is what open_store() gives, or another that provides IStore, not {store!r}"
        )


def too_short(keep_payloads: float | None, keep_keys: float | None) -> str | None:
    """Say what is wrong where keys would be kept for a shorter time than payloads."""
    if keep_keys is None or (keep_payloads is not None and keep_payloads <= keep_keys):
        return None
    return (
        f"keep_keys={keep_keys!r} is shorter than keep_payloads={keep_payloads!r}: keep keys for "
        "as long as payloads, or longer"
    )
