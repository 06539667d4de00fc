"""
System checks: what of the project's settings cannot work, before anything runs.

Each has an id, so that it can be silenced; `docs/reference/django.rst` lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final

import django
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.utils.module_loading import import_string

from twisted_dispatcher.django.conf import AT_ONCE, HERE, SETTING, Conf, read

TAG: Final = "twisted_dispatcher"
# What Django calls the databases that its tests make in memory.
_TEST_IN_MEMORY: Final = "file:memorydb_"


def register_checks() -> None:
    """Have Django run the checks of this module; those for deployment where it is asked for."""
    register(check_setting, TAG)
    register(check_deployment, TAG, deploy=True)


def check_setting(app_configs: Any = None, **rest: Any) -> list[CheckMessage]:
    """Say what is wrong with the setting, and with the database that it names."""
    conf, problems = read(getattr(settings, SETTING, {}))
    found: list[CheckMessage] = [_of_name(*each) for each in problems.items()]
    found += _of_function("SETUP", conf.setup, "with the service when that starts")
    found += _of_function("MAILS_CONTEXT", conf.mails_context, "with a Mail that the admin shows")
    found += _of_bridge(conf)
    found += _of_database(conf)
    return found


def check_deployment(app_configs: Any = None, **rest: Any) -> list[CheckMessage]:
    """Say what is right for tests only."""
    conf, _ = read(getattr(settings, SETTING, {}))
    if conf.run != AT_ONCE:
        return []
    return [
        Warning(
            f"{SETTING} has RUN {AT_ONCE!r}: handlers are called by whoever saves, and what "
            "fails is not tried again.",
            hint=f"That is for tests. Set RUN to 'daemon', or to {HERE!r}.",
            id="twisted_dispatcher.W004",
        )
    ]


def _of_name(name: str, problem: str) -> CheckMessage:
    return Error(
        f"{SETTING}: {name} {problem}.",
        hint="Everything in it may be left out.",
        id="twisted_dispatcher.E001",
    )


def _of_function(name: str, path: str | None, use: str) -> Iterator[CheckMessage]:
    """
    Try what is done first with a function that a setting names.

    A name that is wrong would be found only there: in a worker, or on a page of the admin.
    """
    if path is None:
        return
    try:
        function = import_string(path)
    except Exception as error:
        yield Error(
            f"{SETTING}: {name} {path!r} cannot be imported: {type(error).__name__}: {error}",
            hint="It is the dotted path of a function, package.module.function.",
            id="twisted_dispatcher.E005",
        )
        return
    if not callable(function):
        yield Error(
            f"{SETTING}: {name} {path!r} cannot be called: it is of type "
            f"{type(function).__name__}.",
            hint=f"Name a function; it is called {use}.",
            id="twisted_dispatcher.E005",
        )


def _of_bridge(conf: Conf) -> Iterator[CheckMessage]:
    if conf.run == HERE and find_spec("crochet") is None:
        yield Error(
            f"{SETTING}: RUN is {HERE!r}, and crochet is not installed.",
            hint="Run `pip install twisted_dispatcher[django]`, or set RUN to 'daemon'.",
            id="twisted_dispatcher.E006",
        )


# The database


def _of_database(conf: Conf) -> Iterator[CheckMessage]:
    if conf.database not in settings.DATABASES:
        yield Error(
            f"{SETTING}: DATABASE {conf.database!r} is no database of the project.",
            hint=f"DATABASES has {', '.join(map(repr, settings.DATABASES))}.",
            id="twisted_dispatcher.E002",
        )
        return
    try:
        connection = connections[conf.database]
    except (ImproperlyConfigured, ImportError):
        # Its driver is not installed: Django says so as soon as it looks at a model.
        return
    if connection.vendor == "sqlite":
        yield from _of_sqlite(conf, connection)
    elif connection.vendor == "postgresql":
        yield from _of_postgresql(conf)
    else:
        yield Error(
            f"The database {conf.database!r} is on {connection.vendor}, which cannot keep events.",
            hint=f"Name one on PostgreSQL or SQLite as DATABASE in {SETTING}.",
            id="twisted_dispatcher.E003",
        )


def _of_postgresql(conf: Conf) -> Iterator[CheckMessage]:
    """Look for psycopg 3, which Django can do without; only who handles nothing here can too."""
    missing = [name for name in ("psycopg", "psycopg_pool") if find_spec(name) is None]
    if not missing:
        return
    what = f"there is no {' and no '.join(missing)}"
    hint = "Run `pip install twisted_dispatcher[postgresql]`; Django uses psycopg 3 as well."
    if conf.run == HERE:
        yield Error(
            f"Events on PostgreSQL are handled through psycopg 3, and {what}.",
            hint=hint,
            id="twisted_dispatcher.E007",
        )
    else:
        yield Warning(
            f"The admin asks and mends through psycopg 3, and {what}.",
            hint=hint,
            id="twisted_dispatcher.W003",
        )


def _of_sqlite(conf: Conf, connection: Any) -> Iterator[CheckMessage]:
    if connection.is_in_memory_db():
        yield from _of_memory(conf, str(connection.settings_dict["NAME"]))
    elif django.VERSION >= (5, 1) and not _writes_at_once(connection.settings_dict["OPTIONS"]):
        yield Warning(
            f"Transactions on the database {conf.database!r} begin by reading. One that writes "
            "later fails with 'database is locked' when somebody else has written meanwhile.",
            hint='Give it "OPTIONS": {"transaction_mode": "IMMEDIATE"}, so that it waits.',
            id="twisted_dispatcher.W001",
        )


def _writes_at_once(options: Any) -> bool:
    return str(options.get("transaction_mode", "")).upper() in ("IMMEDIATE", "EXCLUSIVE")


def _of_memory(conf: Conf, name: str) -> Iterator[CheckMessage]:
    """Complain of a database that no worker finds; tests may have one, and choose its way."""
    if conf.run == AT_ONCE:
        return
    kind = Warning if name.startswith(_TEST_IN_MEMORY) else Error
    yield kind(
        f"The database {conf.database!r} is in memory, where no worker finds its events.",
        hint=f"Give it a file as NAME (in tests: as TEST['NAME']), or, in tests, set RUN to "
        f"{AT_ONCE!r}.",
        id="twisted_dispatcher.W002" if kind is Warning else "twisted_dispatcher.E004",
    )
