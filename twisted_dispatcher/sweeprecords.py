"""What a store is given and gives of sweeps. Times are seconds since the epoch (UTC)."""

from __future__ import annotations

import attrs


@attrs.frozen
class SweepRow:
    """
    Where a sweep stands.

    :ivar name: what tells it from other sweeps.
    :ivar objects: how many objects it has seen since it began; their events are recorded.
    :ivar position: where the last of these stands among all, as the codec has written it; None
        where only their number tells.
    :ivar began: when it began; to be resumed does not count.
    :ivar changed: when this was noted.
    :ivar ended: since when it has seen all objects; None while it has not.
    """

    name: str
    objects: int
    position: str | None
    began: float
    changed: float
    ended: float | None
