"""
Tasks to test configurations with, before the real ones are written.

Each is named in a configuration as ``"twisted_dispatcher.testing.tasks:PassThruTask"``.
"""

from __future__ import annotations

from typing import Any

from twisted_dispatcher.triggers import TriggerTask


class PassThruTask(TriggerTask):
    """Finishes with the kwargs that it was given."""

    def _run(self, context: Any) -> dict[str, Any]:
        return {"kwargs": context.trigger_kwargs}


class DevNullTask(TriggerTask):
    """Finishes with nothing."""

    def _run(self, context: Any) -> None:
        pass


class FailingTask(TriggerTask):
    """Fails with a RuntimeError."""

    def _run(self, context: Any) -> None:
        raise RuntimeError("this task always fails")


class SelfSkippingTask(TriggerTask):
    """Skips itself."""

    def _run(self, context: Any) -> None:
        raise self.skip()


class SelfRetryingTask(TriggerTask):
    """Retries itself as often as the kwarg ``max`` of ``retries`` says, then passes through."""

    def _run(self, context: Any) -> dict[str, Any]:
        kwargs = context.trigger_kwargs
        retries = {"max": 1, "count": 0, **kwargs.get("retries", {})}
        if retries["count"] >= retries["max"]:
            return {"kwargs": kwargs}
        retries["count"] += 1
        raise self.retry(replacement_kwargs={**kwargs, "retries": retries})
