"""Gets the project ready that is measured, in this process and for those that it starts."""

from __future__ import annotations

import os
from typing import Any

import django
from django.core.management import call_command
from django.db.backends.signals import connection_created

from tests.benchmarks.contenders import WrongCalls
from tests.django_project.databases import DATABASE, RUN


def get_ready(url: str, run: str = "daemon", *, migrate: bool = True) -> None:
    """Sets Django up with a database, and makes its tables unless they are there."""
    os.environ.update(
        {DATABASE: url, RUN: run, "DJANGO_SETTINGS_MODULE": "tests.benchmarks.django.settings"}
    )
    django.setup()
    connection_created.connect(synchronize, dispatch_uid="benchmark")
    if migrate:
        call_command("migrate", run_syncdb=True, interactive=False, verbosity=0)


def synchronize(connection: Any, **rest: object) -> None:
    """Sees that each commit is on the disk: on SQLite as the store does it, and writes ahead.

    Raises WrongCalls if PostgreSQL is set up to do otherwise.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
            return
        cursor.execute("SHOW synchronous_commit")
        if cursor.fetchone() != ("on",):
            raise WrongCalls("PostgreSQL does not wait for the disk: set synchronous_commit to on")
