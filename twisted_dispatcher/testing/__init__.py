"""
What you need to test your handlers without sleeping: time that you move, and assertions.

::

    class ReminderTests(OutcomeAssertions, SynchronousTestCase):
        def test_reminds(self):
            dispatcher, clock = clocked_dispatcher("kind")
            dispatcher.on(kind="order")(remind_after_a_day)
            result = pump(clock, dispatcher.fire_event("order 1", kind="order"))
            self.assertAllSucceeded(result)
"""

from twisted_dispatcher.testing.assertions import OutcomeAssertions
from twisted_dispatcher.testing.clocked import NeverSettled, clocked_dispatcher, pump, result_of

__all__ = ["NeverSettled", "OutcomeAssertions", "clocked_dispatcher", "pump", "result_of"]
