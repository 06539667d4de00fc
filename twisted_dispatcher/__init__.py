"""
An asynchronous event dispatcher for Twisted programs.

When something happens, the right handlers are called: chosen by keyword, in ordered phases, and
waited for. The everyday names are here; everything else is imported from its own module.
"""

from twisted_dispatcher import errors
from twisted_dispatcher.dispatcher import EventDispatcher
from twisted_dispatcher.durable.current import CurrentDelivery, current_delivery
from twisted_dispatcher.durable.dispatcher import DurableDispatcher
from twisted_dispatcher.events import Event
from twisted_dispatcher.interfaces import IBackgroundUtility, IEventDispatcher
from twisted_dispatcher.matching import Exactly, OneOf, Where
from twisted_dispatcher.options import HandlerOptions, RetryPolicy
from twisted_dispatcher.records import Acceptance, Delivery
from twisted_dispatcher.results import DispatchResult, HandlerOutcome
from twisted_dispatcher.stores import open_store

__all__ = [
    "Acceptance",
    "CurrentDelivery",
    "Delivery",
    "DispatchResult",
    "DurableDispatcher",
    "Event",
    "EventDispatcher",
    "Exactly",
    "HandlerOptions",
    "HandlerOutcome",
    "IBackgroundUtility",
    "IEventDispatcher",
    "OneOf",
    "RetryPolicy",
    "Where",
    "current_delivery",
    "errors",
    "open_store",
]
