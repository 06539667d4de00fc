"""Where a sweep stands among the objects of a sender, as it is kept in the store."""

from __future__ import annotations

from typing import Any, Final

import attrs

from twisted_dispatcher.durable.backstage import Backstage
from twisted_dispatcher.sources.routes import Route
from twisted_dispatcher.sweeprecords import SweepRow

# A place is kept after so many objects, or so many seconds.
OBJECTS: Final = 1000
SECONDS: Final = 1.0
_NOBODY: Final = object()


@attrs.define
class Place:
    """
    Where a sweep stands.

    An object is passed when its events were given; what of these is recorded counts only, since a
    sweep that is resumed goes on behind it.

    :ivar seen: how many objects are passed, also before it was resumed.
    :ivar skips: how many objects are still to be passed over.
    :ivar after: the position behind which it was resumed.
    """

    _route: Route
    _backstage: Backstage
    _began: float
    seen: int = 0
    skips: int = 0
    after: Any = None
    _passed: Any = _NOBODY
    _safe: tuple[int, Any] = (0, _NOBODY)
    _kept: tuple[int, float] = (0, 0.0)

    @classmethod
    async def of(cls, route: Route, backstage: Backstage) -> Place:
        """Find where a sweep begins, or goes on."""
        now = backstage.now()
        row = None
        if route.resumes and route.places is not None and route.name is not None:
            row = await route.places.sweep(route.name)
        if row is None or row.ended is not None:
            return cls(route, backstage, now, kept=(0, now))
        place = cls(route, backstage, row.began, row.objects, kept=(row.objects, now))
        place._safe = row.objects, _NOBODY
        if row.position is None:
            place.skips = row.objects
        else:
            place.after = backstage.codec.decode(row.position)
        return place

    def passed(self, thing: Any) -> None:
        """
        Take note that the events of an object were given.

        :raises NotEncodable: at the first one, when its position cannot be kept.
        """
        if self._passed is _NOBODY:
            self._position_of(thing)
        self.seen += 1
        self._passed = thing

    def recorded(self) -> None:
        """Take note that what was given is recorded."""
        self._safe = self.seen, self._passed

    @property
    def is_due(self) -> bool:
        """Whether it is time to keep it."""
        seen, time = self._kept
        return self.seen - seen >= OBJECTS or self._backstage.now() - time >= SECONDS

    async def keep(self, *, ended: bool = False) -> None:
        """Keep it in the store, if that is wanted: as far as everything is recorded."""
        route, now = self._route, self._backstage.now()
        seen, thing = self._safe
        self._kept = seen, now
        if route.places is None or route.name is None:
            return
        position = self._position_of(thing)
        end = now if ended else None
        await route.places.keep(SweepRow(route.name, seen, position, self._began, now, end))

    def _position_of(self, thing: Any) -> str | None:
        if self._route.position is None:
            return None
        encode = self._backstage.codec.encode
        if thing is not _NOBODY:
            return encode(self._route.position(thing), "position")
        return None if self.after is None else encode(self.after, "position")
