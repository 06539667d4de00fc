"""One questionnaire: its session, and the triggers that its pages fire."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted_dispatcher import DurableDispatcher
from twisted_dispatcher.triggers import storage_backends, trigger_managers
from twisted_dispatcher.triggers.files import load_configuration

CONFIGURATION = Path(__file__).parent / "survey.toml"


class Questionnaire:
    """
    Fires what happens to one questionnaire.

    All answers are durable once the Deferreds of the methods have fired.
    """

    def __init__(self, number: str, dispatcher: DurableDispatcher) -> None:
        storage = storage_backends.get("default", f"questionnaire:{number}", dispatcher)
        self.manager = trigger_managers.get("finalizing", storage)

    async def start(self) -> None:
        """Begin, with the configuration as it stands today."""
        await self.manager.update_configuration(load_configuration(CONFIGURATION))

    async def receive(self, responses: Mapping[str, Any], *, embedded: bool = False) -> None:
        """Take the answers of one page; the first one is the one with a name."""
        if embedded:
            await self.manager.fire("isEmbeddedApplication")
        if "name" in responses:
            await self.manager.fire("firstPageReceived", {"responses": dict(responses)})
        await self.manager.fire("pageReceived", {"responses": dict(responses)})

    async def complete(self) -> None:
        """Take note that there are no more pages."""
        await self.manager.fire("questionnaireComplete")

    async def settled(self) -> None:
        """Wait until nothing of this questionnaire is scheduled or running."""
        await self.manager.join_all()
