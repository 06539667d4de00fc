"""`ISweepStore`: the seam behind which it is kept where sweeps stand."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import Interface

from twisted_dispatcher.sweeprecords import SweepRow


class ISweepStore(Interface):
    """
    The place where sweeps are kept: the attribute ``sweeps`` of an `IStore` that can keep them.

    What `IStore` says of threads, time, Deferreds, group commit and ways of failing holds here
    too. A store need not provide it; sweeps cannot be resumed then.
    """

    def keep(row: SweepRow) -> Deferred[None]:
        """Store where a sweep stands, in the place of what was stored under its name."""

    def sweep(name: str) -> Deferred[SweepRow | None]:
        """Give where a sweep stands, or None where nothing is known of one of that name."""

    def sweeps(limit: int = 100) -> Deferred[list[SweepRow]]:
        """List sweeps, the one that was noted last first."""

    def forget(name: str) -> Deferred[bool]:
        """Forget a sweep; the Deferred fires with whether there was one."""
