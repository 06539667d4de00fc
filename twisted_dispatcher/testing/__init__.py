"""
What you need to test your handlers without sleeping: time that you move, and assertions.

::

    class ReminderTests(OutcomeAssertions, SynchronousTestCase):
        def test_reminds(self):
            dispatcher, clock = clocked_dispatcher("kind")
            dispatcher.on(kind="order")(remind_after_a_day)
            result = pump(clock, dispatcher.fire_event("order 1", kind="order"))
            self.assertAllSucceeded(result)

`clocked_durable_dispatcher` gives a dispatcher with a store in memory, for handlers that must not
be forgotten. `TriggerAssertions` are for trigger sessions.
"""

from twisted_dispatcher.testing.assertions import OutcomeAssertions
from twisted_dispatcher.testing.clocked import (
    NeverSettled,
    NotADeferred,
    clocked_dispatcher,
    pump,
    result_of,
)
from twisted_dispatcher.testing.durable import clocked_durable_dispatcher, later
from twisted_dispatcher.testing.triggers import TriggerAssertions

__all__ = [
    "NeverSettled",
    "NotADeferred",
    "OutcomeAssertions",
    "TriggerAssertions",
    "clocked_dispatcher",
    "clocked_durable_dispatcher",
    "later",
    "pump",
    "result_of",
]
