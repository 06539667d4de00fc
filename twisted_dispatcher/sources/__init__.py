"""
Sources of events: "whatever exists, say what has happened to it; each thing is handled once".

A source is a function that turns an object into events, each with a group and a key. Handlers are
registered for groups. However often a source says the same thing, it is handled once.
"""

from twisted_dispatcher.sources.declarations import declared, event
from twisted_dispatcher.sources.naming import handler_name

__all__ = [
    "declared",
    "event",
    "handler_name",
]
