"""The application, which puts sources and handlers together."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings

from twisted_dispatcher import HandlerOptions, RetryPolicy
from twisted_dispatcher.django import api


class ChallengesConfig(AppConfig):
    """The challenges and donations."""

    name = "examples.challenges"
    label = "challenges"
    verbose_name = "Challenges"

    def ready(self) -> None:
        from examples.challenges import handlers, sources, staff
        from twisted_dispatcher.django.models import Generator

        # A mail server that is away for a night loses no mail: it is tried after 10 seconds, 20,
        # 40, ... and then once an hour. In the end it is dead, and can be replayed in the admin.
        patient = HandlerOptions(
            retry=RetryPolicy(max_attempts=24, initial=settings.PATIENCE, maximum=3600)
        )
        api.register_group_handler(
            handler=handlers.send_challenge_mail, group=r"^challenge_", options=patient
        )
        api.register_group_handler(
            handler=handlers.send_donation_mail, group=r"^donation_", options=patient
        )
        api.register_model_event_source(
            sender=self.get_model("Challenge"), source=sources.events_from_challenge
        )
        api.register_model_event_source(
            sender=self.get_model("Donation"), source=sources.events_from_donation
        )
        Generator.SOURCES["challenges"] = staff.SOURCE
