"""
The one read model over a store: what the command line, a web page or an admin may ask.

`reasons` says in words, and by pure rules, how something stands; `reading` asks the store.
`standing` and `chains` are the same for chains.
"""

from twisted_dispatcher.status.chains import ChainStatus
from twisted_dispatcher.status.reading import Counts, Explained, Status, Story
from twisted_dispatcher.status.reasons import Reason
from twisted_dispatcher.status.standing import ChainStory

__all__ = ["ChainStatus", "ChainStory", "Counts", "Explained", "Reason", "Status", "Story"]
