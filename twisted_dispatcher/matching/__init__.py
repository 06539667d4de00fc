"""
How specs are held against details: the `values` of a spec, `entries` of specs, their `index`.

Nothing here knows a reactor, a clock or a dispatcher.
"""

from twisted_dispatcher.matching.entries import Entry
from twisted_dispatcher.matching.index import MatchIndex
from twisted_dispatcher.matching.values import (
    MISSING,
    Exactly,
    OneOf,
    Where,
    matches,
    unhashable,
)

__all__ = ["MISSING", "Entry", "Exactly", "MatchIndex", "OneOf", "Where", "matches", "unhashable"]
