"""Django's databases as stores: which one it is, and by which URL the store opens it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, urlencode

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.errors import DispatcherError

# What Django's backend for PostgreSQL, or its driver, takes from OPTIONS, and libpq does not know.
_NOT_FOR_LIBPQ: Final = frozenset(
    {
        "assume_role",
        "autocommit",
        "client_encoding",
        "connection_factory",
        "context",
        "cursor_factory",
        "isolation_level",
        "pool",
        "prepare_threshold",
        "row_factory",
        "server_side_binding",
    }
)


class UnsuitableDatabase(DispatcherError, ImproperlyConfigured):
    """A database of the project cannot be a store, or not one that several processes share."""


def vendor_of(alias: str) -> str:
    """
    Tell which store's tables a database has: ``"sqlite"`` or ``"postgresql"``.

    :raises UnsuitableDatabase: when it is of another kind.
    """
    return kind_of(connections[alias])


def kind_of(connection: Any) -> str:
    """Tell for one of Django's connections what `vendor_of` tells for its alias."""
    vendor = str(connection.vendor)
    if vendor not in ("sqlite", "postgresql"):
        raise UnsuitableDatabase(
            f"the database {connection.alias!r} is on {vendor}, and events live on PostgreSQL or "
            "in a file of SQLite: name another one as DATABASE in TWISTED_DISPATCHER"
        )
    return vendor


def takes_several(connection: Any, cursor: Any) -> bool:
    """
    Tell whether a cursor, of Django's or its driver's, takes several statements with parameters.

    psycopg 3 does where it puts the values into the text itself, which Django has it do by default
    and which its cursors can show (``mogrify``); not in a pipeline, for which the server prepares
    each statement. It gives the result of the first statement then; psycopg2 gives that of the
    last.
    """
    return (
        connection.vendor == "postgresql"
        and has_psycopg3()
        and hasattr(cursor, "mogrify")
        and not connection.connection.pgconn.pipeline_status
    )


@lru_cache(maxsize=1)
def has_psycopg3() -> bool:
    """Tell whether Django's backend for PostgreSQL, which is there, uses psycopg 3."""
    from django.db.backends.postgresql.psycopg_any import is_psycopg3

    return bool(is_psycopg3)


def store_url(alias: str | None = None) -> str:
    """
    Give the URL by which `open_store` opens a database; it may hold a password, so log it nowhere.

    :param alias: by default the one that the setting names.
    :raises UnsuitableDatabase: when it is of another kind, or in the memory of this process.
    """
    alias = conf().database if alias is None else alias
    vendor = vendor_of(alias)
    settings = connections[alias].settings_dict
    return _sqlite_url(alias, settings) if vendor == "sqlite" else _postgresql_url(settings)


def _sqlite_url(alias: str, settings: Mapping[str, Any]) -> str:
    name = str(settings["NAME"])
    if connections[alias].is_in_memory_db() or name.startswith("file:"):
        raise UnsuitableDatabase(
            f"the database {alias!r} is in memory, where no other connection finds it: give it a "
            "file as NAME (in tests: as TEST['NAME']), or set RUN to 'at-once'"
        )
    return f"sqlite:///{name}"


def _postgresql_url(settings: Mapping[str, Any]) -> str:
    options = {
        name: str(value)
        for name, value in settings["OPTIONS"].items()
        if name not in _NOT_FOR_LIBPQ and value is not None
    }
    role = settings["OPTIONS"].get("assume_role")
    if role:
        options["options"] = f"{options.get('options', '')} -crole={role}".strip()
    # As parameters, host and port may be several, and a directory.
    for parameter, name in (("host", "HOST"), ("port", "PORT"), ("dbname", "NAME")):
        if settings[name]:
            options[parameter] = str(settings[name])
    user = quote(str(settings["USER"]), safe="")
    password = quote(str(settings["PASSWORD"]), safe="")
    who = f"{user}:{password}@" if password else f"{user}@" if user else ""
    return f"postgresql://{who}/?{urlencode(options, quote_via=quote)}"
