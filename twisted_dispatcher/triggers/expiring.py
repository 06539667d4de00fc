"""Deleting the sessions to which nothing has happened for long."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import gatherResults

from twisted_dispatcher.triggerrecords import SessionSummary
from twisted_dispatcher.triggerstore import ITriggerStore

# So many sessions are looked at, and deleted, at once.
PAGE = 200
# So many pages at most are looked at in one go, so that a worker's other duties do not wait.
MOST_PAGES = 5


async def forget_old(store: ITriggerStore, page: Sequence[SessionSummary], before: float) -> int:
    """Delete those of some sessions to which nothing has happened since; give their number."""
    old = [each.uid for each in page if each.changed < before and not each.active]
    return sum(await gatherResults([store.forget(uid, before) for uid in old]))


class Expiry:
    """
    Has the sessions of a store expire, a few pages at a time.

    It goes through all of them and begins again at their end: an old session is gone after one
    round at the latest. What goes on is kept, however old it is.
    """

    def __init__(self, store: ITriggerStore, expire_after: float) -> None:
        """:param expire_after: in seconds."""
        self.expire_after = expire_after
        self._store = store
        self._after = ""

    async def go_on(self, now: float) -> None:
        """Look at the next sessions, and delete the old ones among them."""
        for _ in range(MOST_PAGES):
            page = await self._store.sessions("", self._after, PAGE)
            await forget_old(self._store, page, now - self.expire_after)
            self._after = page[-1].uid if len(page) == PAGE else ""
            if not self._after:
                return
