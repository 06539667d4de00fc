"""What a store forgets: first the payloads of settled events, later their keys."""

from __future__ import annotations

from twisted_dispatcher.durable.arguments import too_short
from twisted_dispatcher.errors import InvalidOptions
from twisted_dispatcher.interfaces import IStore

# So many events are looked at in one transaction, and so many times in a row.
BATCH = 500
MOST_BATCHES = 10


class Retention:
    """
    Has a store forget what is old, in small batches.

    Payloads must be forgotten first: as long as its key is known, an event is not accepted again.
    """

    def __init__(self, store: IStore, payloads: float | None, keys: float | None) -> None:
        """
        :param payloads: for so many seconds after an event is settled, its payload is kept; None
            keeps it for ever.
        :param keys: the same for its key and its deliveries.
        :raises InvalidOptions: when keys would be kept for a shorter time than payloads.
        """
        fault = too_short(payloads, keys)
        if fault is not None:
            raise InvalidOptions(fault)
        self._store = store
        self._payloads = payloads
        self._keys = keys

    async def keep_to_it(self, now: float) -> None:
        """Have forgotten what is too old now, or as much of it as goes without disturbing."""
        if self._payloads is None:
            return
        payloads = now - self._payloads
        keys = None if self._keys is None else now - self._keys
        for _ in range(MOST_BATCHES):
            if not await self._store.purge(payloads, keys, BATCH):
                break
