"""The settings of databases, from their URLs."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import django

DATABASE = "TWISTED_DISPATCHER_DJANGO_DATABASE"
RUN = "TWISTED_DISPATCHER_DJANGO_RUN"
# More of the setting, as JSON.
MORE = "TWISTED_DISPATCHER_DJANGO_MORE"

# Transactions that begin by reading, and find that others have written meanwhile, fail.
_OF_SQLITE = {"transaction_mode": "IMMEDIATE"} if django.VERSION >= (5, 1) else {}
_CARELESS = {"init_command": "PRAGMA synchronous = OFF"} if django.VERSION >= (5, 1) else {}


def database_at(url: str) -> dict[str, Any]:
    """Give Django's settings for the database that a URL names, and for one of tests beside it."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = parts.path.removeprefix("/")
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": path,
            "OPTIONS": {"timeout": 60, **_OF_SQLITE},
            # In memory no other connection would find it.
            "TEST": {"NAME": f"{path}.test"},
        }
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.removeprefix("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
        # Several runs may share a server.
        "TEST": {"NAME": f"test_django_{os.getpid()}"},
    }


def careless_database_at(url: str) -> dict[str, Any]:
    """Give the same for tests: no machine dies in them, so that nobody waits for the disk."""
    database = database_at(url)
    options = database["OPTIONS"]
    if "sqlite" in database["ENGINE"]:
        options.update(_CARELESS)
    else:
        options["options"] = f"{options.get('options', '')} -csynchronous_commit=off".strip()
    return database
