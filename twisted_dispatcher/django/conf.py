"""
The setting ``TWISTED_DISPATCHER``: read, checked, and frozen.

It is a mapping, and everything in it may be left out:

``DATABASE``
    the alias of the database whose tables are the store; ``"default"``.
``RUN``
    where events are dispatched. ``"here"``: by this process, in a thread that starts when the
    first event is committed. ``"daemon"``: by the command ``run_dispatcher``, which is only woken
    from here. ``"at-once"``: in tests, by whoever records the event, before that returns.
``ORDER_BY``
    None, or the keywords whose values order events; the only keyword is ``"group"``.
``SETUP``
    the dotted path of a function that is called with the service when it starts.
``LEASE``, ``DRAIN``, ``BURY_AFTER``, ``KEEP_PAYLOADS``, ``KEEP_KEYS``
    seconds, as `DurableDispatcher` takes them: keys are kept as long as payloads, or longer.
``THREADS``
    so many handlers run at once in a process at most; each may hold a connection of Django's.
``TIMEOUT``
    seconds that a page of the admin waits for the dispatcher.
``MAILS_CONTEXT``
    the dotted path of a function that gives for a `Mail` the context that the admin shows it with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import attrs
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from twisted_dispatcher.errors import DispatcherError

SETTING: Final = "TWISTED_DISPATCHER"

HERE: Final = "here"
DAEMON: Final = "daemon"
AT_ONCE: Final = "at-once"
WAYS: Final = (HERE, DAEMON, AT_ONCE)

KEYWORDS: Final = ("group",)

DAY: Final = 86400.0


class BadSetting(DispatcherError, ImproperlyConfigured):
    """
    The setting ``TWISTED_DISPATCHER`` cannot be used.

    :ivar problems: by the names in it, what is wrong with each.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        listed = "; ".join(f"{name} {problem}" for name, problem in self.problems.items())
        super().__init__(f"{SETTING} cannot be used: {listed}")


@attrs.frozen
class Conf:
    """What the setting says; times are seconds. The names in it are those here in capitals."""

    database: str = "default"
    run: str = HERE
    order_by: tuple[str, ...] | None = None
    setup: str | None = None
    lease: float = 60.0
    drain: float = 30.0
    bury_after: float | None = 7 * DAY
    keep_payloads: float | None = None
    keep_keys: float | None = None
    threads: int = 10
    timeout: float = 30.0
    mails_context: str | None = None


def read(given: Any) -> tuple[Conf, dict[str, str]]:
    """
    Read the setting's value.

    :return: what it says, with defaults for what is wrong, and by name what is wrong with each.
    """
    if not isinstance(given, Mapping):
        return Conf(), {"it": f"is a mapping, not {type(given).__name__}"}
    problems = {
        str(name): f"is no name in it (there are: {', '.join(_CHECKS)})"
        for name in given
        if name not in _CHECKS
    }
    values = {}
    for name, check in _CHECKS.items():
        if name in given:
            problem = check(given[name])
            if problem is None:
                values[name.lower()] = given[name]
            else:
                problems[name] = problem
    if not _keeps_keys_longest(values) and "KEEP_PAYLOADS" not in problems:
        payloads = values.pop("keep_payloads", None)
        problems["KEEP_KEYS"] = (
            f"is {values.pop('keep_keys')!r}, and KEEP_PAYLOADS is {payloads!r}: "
            "give KEEP_PAYLOADS as many seconds, or fewer"
        )
    if values.get("order_by") is not None:
        values["order_by"] = tuple(values["order_by"])
    return Conf(**values), problems


def _keeps_keys_longest(values: Mapping[str, Any]) -> bool:
    """Tell whether keys are kept as long as payloads, without which no worker starts."""
    payloads, keys = values.get("keep_payloads"), values.get("keep_keys")
    return keys is None or (payloads is not None and payloads <= keys)


@lru_cache(maxsize=1)
def conf() -> Conf:
    """
    Give what the setting says.

    :raises BadSetting: when something is wrong with it; all of that at once.
    """
    found, problems = read(getattr(settings, SETTING, {}))
    if problems:
        raise BadSetting(problems)
    return found


def _forget(*, setting: str, **rest: object) -> None:
    if setting == SETTING:
        conf.cache_clear()


setting_changed.connect(_forget, dispatch_uid="twisted_dispatcher.conf")


# Checks: each gives what is wrong, or None.

# In seconds; what `threading` and the reactor can still wait for is longer than a century.
_LONGEST: Final = 1e10

Check = Callable[[Any], "str | None"]


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else f"is a text, not {value!r}"


def _dotted_path(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and all(map(str.isidentifier, value.split(".")))):
        return None
    return f"is the dotted path of a function, not {value!r}"


def _way(value: Any) -> str | None:
    return None if value in WAYS else f"is one of {', '.join(map(repr, WAYS))}, not {value!r}"


def _keywords(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, (list, tuple)) and all(each in KEYWORDS for each in value):
        return None
    return f"is None or a sequence of keywords ({', '.join(KEYWORDS)}), not {value!r}"


def _seconds(value: Any) -> str | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # No float is as great as an int may be, and no time either.
    if is_number and 0 < value < _LONGEST:
        return None
    return f"is a number of seconds above 0, not {value!r}"


def _count(value: Any) -> str | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return None if is_number and value > 0 else f"is a whole number above 0, not {value!r}"


def _seconds_or_none(value: Any) -> str | None:
    return None if value is None else _seconds(value)


_CHECKS: Final[Mapping[str, Check]] = {
    "DATABASE": _text,
    "RUN": _way,
    "ORDER_BY": _keywords,
    "SETUP": _dotted_path,
    "LEASE": _seconds,
    "DRAIN": _seconds,
    "BURY_AFTER": _seconds_or_none,
    "KEEP_PAYLOADS": _seconds_or_none,
    "KEEP_KEYS": _seconds_or_none,
    "THREADS": _count,
    "TIMEOUT": _seconds,
    "MAILS_CONTEXT": _dotted_path,
}
