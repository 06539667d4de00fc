"""The settings of the project that is measured; its database is on the disk at each commit."""

from __future__ import annotations

import os

from tests.benchmarks.django.slower import options_for
from tests.django_project.admin import MIDDLEWARE, TEMPLATES  # noqa: F401
from tests.django_project.databases import DATABASE, RUN, database_at

SECRET_KEY = "not a secret, since this project is never served"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "tests.django_project.urls"
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "twisted_dispatcher.django",
    "tests.benchmarks.django.shop",
]
DATABASES = {"default": database_at(os.environ[DATABASE])}
DATABASES["default"]["OPTIONS"].update(options_for(os.environ[DATABASE]))
TWISTED_DISPATCHER = {"RUN": os.environ[RUN]}
