"""Assertions on what a dispatch came to, for `unittest` and trial test cases."""

from __future__ import annotations

from typing import Any

from twisted_dispatcher.results import DispatchResult, HandlerOutcome


class OutcomeAssertions:
    """
    A mixin for a test case, with assertions on a `DispatchResult`.

    A handler is named by its whole name or the last part of it: ``"send_mail"`` is found in
    ``"shop.mails.send_mail"``.
    """

    def outcomesOf(self, result: DispatchResult, handler: str) -> list[HandlerOutcome]:
        """Give the outcomes of the handlers of that name."""
        return [
            outcome
            for outcome in result.outcomes
            if outcome.name == handler or outcome.name.endswith(f".{handler}")
        ]

    def assertCalled(self, result: DispatchResult, handler: str, times: int = 1) -> None:
        """Fail unless handlers of that name were called so many times."""
        called = len(self.outcomesOf(result, handler))
        if called != times:
            self._fail(f"{handler} was called {called} times, not {times}", result)

    def assertNotCalled(self, result: DispatchResult, handler: str) -> None:
        """Fail if a handler of that name was called."""
        self.assertCalled(result, handler, 0)

    def assertGave(self, result: DispatchResult, handler: str, value: Any) -> None:
        """Fail unless the one handler of that name gave the value."""
        self.assertCalled(result, handler)
        (outcome,) = self.outcomesOf(result, handler)
        if outcome.failure is not None or outcome.value != value:
            self._fail(f"{handler} did not give {value!r}", result)

    def assertFailed(
        self, result: DispatchResult, handler: str, *errors: type[BaseException]
    ) -> None:
        """Fail unless the one handler of that name failed (with one of these errors, if given)."""
        self.assertCalled(result, handler)
        (outcome,) = self.outcomesOf(result, handler)
        if outcome.failure is None:
            self._fail(f"{handler} did not fail", result)
        elif errors and not outcome.failure.check(*errors):
            names = " or ".join(error.__name__ for error in errors)
            self._fail(f"{handler} did not fail with {names}", result)

    def assertAllSucceeded(self, result: DispatchResult) -> None:
        """Fail if the event was not dispatched, or if any handler failed."""
        if not result.dispatched:
            self._fail("the event was not dispatched: the dispatcher is not running", result)
        if result.failures:
            self._fail("not every handler succeeded", result)

    def _fail(self, message: str, result: DispatchResult) -> None:
        lines = [f"  {outcome.phase}: {_line(outcome)}" for outcome in result.outcomes]
        raise getattr(self, "failureException", AssertionError)(
            "\n".join([message + "; the outcomes are", *lines])
        )


def _line(outcome: HandlerOutcome) -> str:
    if outcome.failure is not None:
        return f"{outcome.name} failed: {outcome.failure.getErrorMessage()}"
    return f"{outcome.name} gave {outcome.value!r}"
