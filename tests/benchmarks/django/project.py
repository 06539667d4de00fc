"""Gets the project ready that is measured, in this process and for those that it starts."""

from __future__ import annotations

import os
from typing import Any

import django
from django.core.management import call_command
from django.db.backends.signals import connection_created

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
    """Has SQLite write as the store does: ahead, and to the disk at each commit."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
