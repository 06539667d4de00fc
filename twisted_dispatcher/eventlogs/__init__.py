"""
Event logs, read as streams of events: JSON Lines of CloudEvents, CSV and IEEE XES.

`open_log` gives an `EventLog`; iterating over it gives an `Event` for each event of the log
and a `BadLine` for each place where one should be and is not. However long the log, only a
small piece of it is in memory at a time.
"""

from twisted_dispatcher.eventlogs.formats import FORMATS
from twisted_dispatcher.eventlogs.lines import BadLine
from twisted_dispatcher.eventlogs.log import EventLog, open_log

__all__ = ["FORMATS", "BadLine", "EventLog", "open_log"]
