"""Deliveries to handlers that nobody has registered: told of, and buried in the end."""

from __future__ import annotations

from twisted.logger import Logger

from twisted_dispatcher.interfaces import IStore
from twisted_dispatcher.records import DEAD, Orphan, Settlement, Worker

# For so many seconds a handler may be missing, while programs start, without being called missing.
GRACE = 60.0
# So many deliveries are buried at once.
MOST_BURIED = 100

_log = Logger()


class Orphans:
    """
    Sees to the deliveries that wait for handlers which no worker knows.

    :ivar missing: these handlers, as they were at the last look; some may have just been started.
    """

    def __init__(
        self, store: IStore, worker_id: str, bury_after: float | None, stops: frozenset[str]
    ) -> None:
        """
        :param bury_after: see `DurableDispatcher`.
        :param stops: the phases after which a dead delivery ends the dispatch.
        """
        self._stops = stops
        self._store = store
        self._worker_id = worker_id
        self._bury_after = bury_after
        self._told: set[str] = set()
        self.missing: list[Orphan] = []

    async def look(self, now: float) -> None:
        """Tell of each missing handler once, and bury what has waited for one for too long."""
        self.missing = await self._store.orphans(now, now)
        missing = [orphan for orphan in self.missing if orphan.since < now - GRACE]
        for orphan in missing:
            if orphan.handler not in self._told:
                self._told.add(orphan.handler)
                _log.warn(
                    "Deliveries wait for a handler {handler}, which no worker has registered: "
                    "register it again, or skip them",
                    handler=orphan.handler,
                )
        self._told &= {orphan.handler for orphan in missing}
        if self._bury_after is not None:
            for orphan in missing:
                if orphan.since < now - self._bury_after:
                    await self._bury(orphan.handler, now)

    async def _bury(self, handler: str, now: float) -> None:
        sexton = Worker(self._worker_id, frozenset({handler}))
        claims = await self._store.claim(sexton, now, MOST_BURIED)
        error = f"no worker has registered a handler {handler} for {self._bury_after:g} seconds"
        while claims:
            buried = [
                Settlement(
                    each.delivery_id,
                    each.event_id,
                    each.attempt,
                    DEAD,
                    None,
                    error,
                    each.phase in self._stops,
                )
                for each in claims
            ]
            settled = await self._store.settle(buried, sexton, now)
            # What opens for the same handler is handed to the same sexton.
            claims = [claim for each in settled for claim in each.opened]
