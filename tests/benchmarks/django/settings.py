"""The settings of the project that is measured; its database is on the disk at each commit."""

from __future__ import annotations

import os

from tests.benchmarks.django.slower import options_for
from tests.django_project.databases import DATABASE, RUN, database_at

SECRET_KEY = "not a secret, since this project is never served"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "tests.benchmarks.django.urls"
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
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": database_at(os.environ[DATABASE])}
DATABASES["default"]["OPTIONS"].update(options_for(os.environ[DATABASE]))
TWISTED_DISPATCHER = {"RUN": os.environ[RUN]}
