"""Dispatches the project's events, until it is told to end: ``manage.py run_dispatcher``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from twisted_dispatcher.django.conf import AT_ONCE, conf
from twisted_dispatcher.django.daemon import run
from twisted_dispatcher.errors import DispatcherError


class Command(BaseCommand):
    """Calls the handlers that the project has registered. Any number of these may run at once."""

    help = (
        "Dispatches events that the project has recorded: calls their handlers, until SIGTERM or "
        "Ctrl-C, which let those end that are running. Any number of these may run at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--until-idle",
            action="store_true",
            help="end when nothing is left that is due, as for a cron job",
        )

    def handle(self, *arguments: Any, **options: Any) -> None:
        if conf().run == AT_ONCE:
            raise CommandError(
                "TWISTED_DISPATCHER says RUN = 'at-once', by which events are handled where they "
                "are recorded: there is nothing left to dispatch"
            )
        self._verbosity = options["verbosity"]
        try:
            run(self._ready, ends_when_idle=options["until_idle"])
        except (DispatcherError, ImportError) as error:
            raise CommandError(str(error)) from error

    def _ready(self, dispatcher: Any) -> None:
        """Say what it has."""
        if not self._verbosity:
            return
        handlers = dispatcher.describe()
        self.stdout.write(f"Dispatching. Handlers: {len(handlers)}.")
        if self._verbosity > 1:
            for each in handlers:
                self.stdout.write(f"  {each.name} ({each.registered_at})")
        self.stdout.flush()
