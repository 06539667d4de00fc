"""What is done with the answers; a task that runs twice for one instance does no harm."""

from __future__ import annotations

from typing import Any

from examples.questionnaire import archive, browsers
from twisted_dispatcher.triggers import TriggerTask

HALF_A_MINUTE = 30.0


class ImportSubject(TriggerTask):
    """Imports the one who answers, from the first page."""

    def _run(self, context: Any) -> dict[str, Any]:
        answers = context.trigger_kwargs["firstPageReceived"]["responses"]
        if "name" not in answers:
            raise ValueError("the first page has no name")
        archive.add_subject(context.storage_uid, answers["name"])
        # Those that wait for this task get it with its cascade.
        return {"subject": answers["name"]}


class ImportResponses(TriggerTask):
    """Imports the answers of one page."""

    def _run(self, context: Any) -> None:
        answers = context.trigger_kwargs["pageReceived"]["responses"]
        archive.add_responses(context.storage_uid, context.instance_name, answers)


class ImportBrowserMetadata(TriggerTask):
    """Finds out about the browser; tries again later when the service is away."""

    def _run(self, context: Any) -> dict[str, Any]:
        agent = context.trigger_kwargs["pageReceived"]["responses"].get("agent", "")
        try:
            browser = browsers.look_up(agent)
        except browsers.ServiceAway as error:
            raise self.retry(exc=error, cooldown=HALF_A_MINUTE) from error
        archive.note_browser(context.storage_uid, browser)
        return {"browser": browser}


def close(context: Any) -> None:
    """Note that the questionnaire is done with."""
    archive.close(context.storage_uid)
