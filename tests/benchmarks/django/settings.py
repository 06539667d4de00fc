"""The settings of the project that is measured; its database is on the disk at each commit."""

from __future__ import annotations

import os
from typing import Any

import django

from tests.django_project.databases import DATABASE, RUN, database_at


def measured_database(url: str) -> dict[str, Any]:
    """Gives Django's settings for a database, as its documents advise for one that is written to.

    On SQLite a transaction takes its turn when it begins, from Django 5.1 on.
    """
    database = database_at(url)
    if "sqlite" in database["ENGINE"]:
        database["OPTIONS"] = {"timeout": 30.0}
        if django.VERSION >= (5, 1):
            database["OPTIONS"]["transaction_mode"] = "IMMEDIATE"
    return database


SECRET_KEY = "not a secret, since this project is never served"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "twisted_dispatcher.django",
    "tests.benchmarks.django.shop",
]
DATABASES = {"default": measured_database(os.environ[DATABASE])}
TWISTED_DISPATCHER = {"RUN": os.environ[RUN]}
