"""`FinalizingTriggerManager`: a last trigger, when everything else is done."""

from __future__ import annotations

from typing import ClassVar

from twisted_dispatcher.triggers.manager import TriggerManager


class FinalizingTriggerManager(TriggerManager):
    """
    Fires ``sessionFinalized`` once, when all tasks that do not wait for it are resolved.

    It does so in the very transaction that resolves the last one: not twice, not never.
    """

    TRIGGER_SESSION_FINALIZED: ClassVar[str] = "sessionFinalized"
    finalizing_trigger: ClassVar[str | None] = TRIGGER_SESSION_FINALIZED
