"""
The one read model over a store: what the command line, a web page or an admin may ask.

`reasons` says in words, and by pure rules, how something stands; `reading` asks the store.
"""

from twisted_dispatcher.status.reading import Counts, Explained, Status, Story
from twisted_dispatcher.status.reasons import Reason

__all__ = ["Counts", "Explained", "Reason", "Status", "Story"]
