"""
The settings of the site.

The environment says where things are. CHALLENGES_DATABASE names the database, as the path of a
SQLite file or as ``postgresql://user:password@host:port/name``. CHALLENGES_MAIL names the mail
server, as ``host:port``; without one mails are printed. CHALLENGES_RUN says where events are
handled, ``here`` or by a ``daemon``. With CHALLENGES_TODAY it is another day, and with
CHALLENGES_PATIENCE mails are tried again after so many seconds: nobody wants to wait in a story.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import django

CHECKOUT = Path(__file__).resolve().parent.parent.parent
HOME = "examples.challenges"


def database(name: str) -> dict[str, Any]:
    """Give what Django wants to know of a database that a URL or a path names."""
    if "://" not in name:
        # Whoever writes waits for others, and does not fail because it has begun by reading.
        options: dict[str, Any] = {"timeout": 20}
        if django.VERSION >= (5, 1):
            options["transaction_mode"] = "IMMEDIATE"
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": options}
    url = urlsplit(name)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "OPTIONS": dict(parse_qsl(url.query)),
    }


DATABASES = {
    "default": database(
        os.environ.get("CHALLENGES_DATABASE", str(CHECKOUT / "build" / "challenges.db"))
    )
}
if "CHALLENGES_TEST_DATABASE" in os.environ:
    # For a SQLite file this is another file: a daemon, which is another process, cannot see what
    # is in memory here.
    DATABASES["default"]["TEST"] = {"NAME": os.environ["CHALLENGES_TEST_DATABASE"]}

_mail_server = os.environ.get("CHALLENGES_MAIL")
if _mail_server:
    EMAIL_HOST, EMAIL_PORT = _mail_server.split(":")
else:
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
# A mail server that does not answer is a failed attempt, and the mail is tried again.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = "challenges@charity.example"
# Seconds after which a mail is tried again for the first time.
PATIENCE = float(os.environ.get("CHALLENGES_PATIENCE", "10"))

# The date, where it is not the calendar's.
TODAY = (
    date.fromisoformat(os.environ["CHALLENGES_TODAY"])
    if "CHALLENGES_TODAY" in os.environ
    else None
)

TWISTED_DISPATCHER = {
    "RUN": os.environ.get("CHALLENGES_RUN", "here"),
    "MAILS_CONTEXT": f"{HOME}.staff.example_for",
}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "twisted_dispatcher.django",
    "twisted_dispatcher.django.mails",
    HOME,
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
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
ROOT_URLCONF = f"{HOME}.urls"
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

# This is an example that serves on this machine alone. A site of your own takes these from
# elsewhere.
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
SECRET_KEY = "known to everybody who has read the example"
