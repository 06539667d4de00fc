"""Writes the mails about what generators find: ``manage.py process_mail_events``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from twisted_dispatcher.django.api import only_new_events
from twisted_dispatcher.django.generators import Generator, events_from_generators
from twisted_dispatcher.django.mails.api import process_mail_events
from twisted_dispatcher.django.mails.models import Mail
from twisted_dispatcher.django.models import Event
from twisted_dispatcher.django.unmigrated import has_not_migrated


class Command(BaseCommand):
    """Lets those who write generators and mails in the admin decide who is told what."""

    help = (
        "Records what is new of the events of the active generators, and writes the mails about "
        "them. They are sent by whoever dispatches events."
    )

    def handle(self, *arguments: Any, **options: Any) -> None:
        self._require_tables()
        problems: list[Any] = []
        events = only_new_events(events_from_generators(on_error=problems.append))
        mails = process_mail_events(events)
        found = events.report
        count = len(problems) + sum(
            report.refused + report.collisions + report.broken for report in (found, mails)
        )
        for each in problems:
            self.stderr.write(f"The generator of {each.group}: {type(each.error).__name__}")
        if options["verbosity"]:
            self.stdout.write(
                f"Generators: {found.recorded:,} events recorded, {found.known:,} known, "
                f"{mails.recorded:,} mails written, {count:,} problems"
            )
        if count:
            raise CommandError(f"events or mails that could not be made: {count}; see the log")

    @staticmethod
    def _require_tables() -> None:
        try:
            for model in (Event, Generator, Mail):
                model.objects.exists()
        except DatabaseError as error:
            if not has_not_migrated(error):
                raise
            lacking = str(error).partition("\n")[0]
            raise CommandError(f"run manage.py migrate first: {lacking}") from error
