"""What runs in the background, as Twisted services."""

from twisted_dispatcher.service.dispatching import DispatcherService
from twisted_dispatcher.service.utility import UtilityService

__all__ = ["DispatcherService", "UtilityService"]
