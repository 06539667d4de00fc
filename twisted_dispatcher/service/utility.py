"""A service around anything that runs in the background."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from twisted_dispatcher.interfaces import IBackgroundUtility


class UtilityService(Service):
    """
    Starts a dispatcher, or another `IBackgroundUtility`, with an application and stops it again.

    The application stops when all that the utility had accepted is done.
    """

    def __init__(self, utility: IBackgroundUtility) -> None:
        self.utility = utility

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self.utility.start()

    def stopService(self) -> Deferred[None]:
        """Give a Deferred that fires when nothing of the utility is in flight any more."""
        super().stopService()  # type: ignore[no-untyped-call]
        return self.utility.stop()
