"""Runs all instances through the sources of their models: ``manage.py process_event_sources``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import FieldError, ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from django.db.models import Model

from twisted_dispatcher.django.generators import events_from_generators
from twisted_dispatcher.django.progress import progress
from twisted_dispatcher.django.registry import MODEL_SOURCES
from twisted_dispatcher.django.streams import process_events
from twisted_dispatcher.django.sweeping import BATCH, Swept, sweep
from twisted_dispatcher.django.unmigrated import has_not_migrated

_TRUTHS: Final = {
    **dict.fromkeys(("1", "true", "yes"), True),
    **dict.fromkeys(("0", "false", "no"), False),
}


class Command(BaseCommand):
    """Finds what time alone has brought about, and what was written past `save()`."""

    help = (
        "Runs instances through the event sources of their models, and records what is new. The "
        "handlers are called by whoever dispatches events. It may be stopped at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "models",
            nargs="*",
            metavar="app.Model",
            help="only these; by default all that have a source",
        )
        parser.add_argument(
            "--filter",
            action="append",
            default=[],
            metavar="FIELD=VALUE",
            help="only instances that this look-up finds, as in created__gte=2026-01-01; several "
            "are combined",
        )
        parser.add_argument("--using", metavar="ALIAS", help="the database to read from")
        parser.add_argument(
            "--batch", type=int, default=BATCH, metavar="N", help=f"so many at a time ({BATCH})"
        )
        parser.add_argument(
            "--resume", action="store_true", help="go on where the last one was stopped"
        )
        parser.add_argument(
            "--generators",
            action="store_true",
            help="also record the events of the active generators",
        )

    def handle(self, *arguments: Any, **options: Any) -> None:
        if options["batch"] < 1:
            raise CommandError("--batch is 1 or more")
        if options["using"] not in (None, *connections):
            raise CommandError(
                f"there is no database {options['using']!r}; these are there: "
                f"{', '.join(connections)}"
            )
        conditions = _conditions(options["filter"])
        models = _models(options["models"], may_be_none=options["generators"])
        querysets = [_queryset(each, options["using"], conditions) for each in models]
        problems = 0
        for queryset in querysets:
            problems += self._sweep(queryset, conditions, options)
        if options["generators"]:
            problems += self._generate(options["batch"])
        if problems:
            raise CommandError(
                f"events that could not be recorded, or were not made: {problems}; see the log"
            )

    def _sweep(self, queryset: Any, conditions: dict[str, str], options: Any) -> int:
        label = queryset.model._meta.label
        swept = Swept()
        steps = sweep(
            queryset,
            MODEL_SOURCES[queryset.model],
            conditions=conditions,
            resume=options["resume"],
            batch=options["batch"],
        )
        try:
            with progress(self.stdout, label, queryset.count()) as show:
                for swept in steps:
                    show(swept.seen)
        except KeyboardInterrupt:
            raise CommandError(
                f"{label}: stopped after {swept.seen:,}; --resume goes on there"
            ) from None
        except DatabaseError as error:
            if has_not_migrated(error):
                lacking = str(error).partition("\n")[0]
                raise CommandError(f"{label}: run manage.py migrate first: {lacking}") from error
            raise CommandError(
                f"{label}: the database has failed after {swept.seen:,}, --resume goes on there: "
                f"{error}"
            ) from error
        self._tell(
            f"{label}: {swept.seen:,} seen, {swept.recorded:,} events recorded, "
            f"{swept.known:,} known, {swept.problems:,} problems"
        )
        return swept.problems

    def _generate(self, batch: int) -> int:
        problems: list[Any] = []
        report = process_events(events_from_generators(on_error=problems.append), window=batch)
        count = len(problems) + report.refused + report.collisions + report.broken
        for each in problems:
            self.stderr.write(f"The generator of {each.group}: {type(each.error).__name__}")
        self._tell(
            f"Generators: {report.recorded:,} events recorded, {report.known:,} known, "
            f"{count:,} problems"
        )
        return count

    def _tell(self, text: str) -> None:
        if self.verbosity:
            self.stdout.write(text)

    def execute(self, *arguments: Any, **options: Any) -> Any:
        """Remember how much is to be said."""
        self.verbosity = options.get("verbosity", 1)
        return super().execute(*arguments, **options)


def _conditions(given: Iterable[str]) -> dict[str, str]:
    """Read look-ups from the command line."""
    conditions: dict[str, str] = {}
    for each in given:
        name, separator, value = each.partition("=")
        if not separator or not name:
            raise CommandError(
                f"--filter {each!r} is no FIELD=VALUE: write {name or 'active'}=True, for example"
            )
        if name in conditions:
            raise CommandError(
                f"--filter {name} is there twice: for several values use {name}__in"
            )
        conditions[name] = value
    return conditions


def _models(labels: Iterable[str], *, may_be_none: bool) -> list[type[Model]]:
    """Find the models that are named, or all that have sources."""
    if not labels:
        if not (MODEL_SOURCES or may_be_none):
            raise CommandError(
                "no model has an event source: register them in ready() of an application, by "
                "api.register_model_event_source()"
            )
        return list(MODEL_SOURCES)
    return [_model(each) for each in dict.fromkeys(labels)]


def _model(label: str) -> type[Model]:
    if label.count(".") != 1:
        raise CommandError(f"{label!r} is no model: name it with its application, as app.Model")
    try:
        model: type[Model] = apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise CommandError(f"{label!r} is no model: {error}") from error
    if model not in MODEL_SOURCES:
        senders: Iterable[Any] = MODEL_SOURCES
        known = ", ".join(each._meta.label for each in senders) or "none has one"
        raise CommandError(f"{label} has no event source; these have: {known}")
    return model


def _queryset(model: type[Model], using: str | None, conditions: dict[str, str]) -> Any:
    """Give the instances that are meant."""
    values = {name: _value(name, value) for name, value in conditions.items()}
    instances = model._default_manager.using(using)
    try:
        return instances.filter(**values)
    except (FieldError, ValueError, TypeError, ValidationError) as error:
        raise CommandError(f"--filter does not fit {model._meta.label}: {error}") from error


def _value(name: str, value: str) -> Any:
    """Read a value; the field's own type makes of the text what it needs."""
    if name.endswith("__in"):
        return value.split(",")
    if name.endswith("__isnull"):
        if value.lower() not in _TRUTHS:
            raise CommandError(f"--filter {name} is true or false, not {value!r}")
        return _TRUTHS[value.lower()]
    return value
