"""Tests of what is said of a chain that does not go on."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.chainrecords import StoredChain
from twisted_dispatcher.status.reasons import Reason
from twisted_dispatcher.status.standing import CHAIN_CODES, pair_text, reason_of_chain

NOW = 1000.0
WAITING = StoredChain(
    id="c1",
    chain_type="order",
    state="paid",
    version=1,
    pairs=(("customer", "7"), ("order", "17")),
    definition="d",
    next_update=None,
    due=NOW - 1,
    disabled=False,
    ended=False,
    locked_until=0.0,
    fence=1,
    failures=0,
    parked=False,
    error=None,
    refusals=None,
    tried=None,
    created=0.0,
    entered=0.0,
)
ERROR = "Traceback (most recent call last):\n  ...\nLookupError: no such customer\n"


class ReasonTests(SynchronousTestCase):
    """One reason for each way of standing still."""

    def reason(self, **changes: Any) -> Reason:
        """Give the reason of a chain that is as above but for some changes."""
        reason = reason_of_chain(attrs.evolve(WAITING, **changes), NOW)
        self.assertIn(reason.code, CHAIN_CODES)
        return reason

    def test_due(self) -> None:
        """A chain that is due waits for a schedule."""
        reason = self.reason()

        self.assertEqual("due_chain", reason.code)
        self.assertIn("due now, as soon as a process whose schedule of order runs", reason.text)

    def test_due_later(self) -> None:
        """A chain that is due later says when, and until then it is so."""
        reason = self.reason(due=NOW + 60)

        self.assertIn("due at 1970-01-01T00:17:40.000Z", reason.text)
        self.assertEqual(NOW + 60, reason.until)

    def test_never_due(self) -> None:
        """A chain that the schedule will not look at says so."""
        self.assertIn("only when somebody executes it", self.reason(due=None).text)

    def test_ended(self) -> None:
        """A chain at its end has ended, whatever else there is."""
        reason = self.reason(ended=True, disabled=True, parked=True)

        self.assertEqual("ended", reason.code)
        self.assertIn("no transition leaves paid", reason.text)

    def test_executing(self) -> None:
        """A chain that somebody has locked says until when."""
        reason = self.reason(locked_until=NOW + 30)

        self.assertEqual(("executing", NOW + 30), (reason.code, reason.until))

    def test_lock_that_has_run_out(self) -> None:
        """A lock that has run out is none."""
        self.assertEqual("due_chain", self.reason(locked_until=NOW).code)

    def test_disabled(self) -> None:
        """A chain that is disabled names the way out."""
        self.assertIn("twisted-dispatcher enable c1", self.reason(disabled=True).text)

    def test_parked(self) -> None:
        """A chain that is parked names the error and the way out."""
        reason = self.reason(parked=True, failures=10, error=ERROR, due=None)

        self.assertEqual("parked", reason.code)
        self.assertIn("parked after 10 failures", reason.text)
        self.assertIn("LookupError: no such customer. Mend the cause", reason.text)
        self.assertIn("twisted-dispatcher resume c1", reason.text)

    def test_failed(self) -> None:
        """A chain that has failed names the error, and when it is tried again."""
        reason = self.reason(failures=2, error=ERROR, due=NOW + 120)

        self.assertEqual(("failed", NOW + 120), (reason.code, reason.until))
        self.assertIn("has failed 2 times, the last time with: LookupError", reason.text)

    def test_early(self) -> None:
        """A chain with a next_update to come is not executed before."""
        reason = self.reason(next_update=NOW + 60)

        self.assertEqual(("not_due", NOW + 60), (reason.code, reason.until))

    def test_refused(self) -> None:
        """A chain of which no transition was valid names them with their reasons."""
        refusals = '{"<Ship>": ["not in stock", 3], "<Cancel>": []}'

        reason = self.reason(refusals=refusals, tried=NOW - 60, due=NOW + 60)

        self.assertEqual("refused", reason.code)
        self.assertIn(
            "at 1970-01-01T00:15:40.000Z: Ship (not in stock, 3); Cancel (it gave no reason). It "
            "is tried again at 1970-01-01T00:17:40.000Z",
            reason.text,
        )

    def test_pairs(self) -> None:
        """Resources are written as pairs."""
        self.assertEqual("customer=7, order=17", pair_text(WAITING.pairs))
