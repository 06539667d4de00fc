"""
What a dispatcher is to be like, as one frozen value: `Settings`.

A service, the bridge for synchronous programs and the commands are all made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from twisted_dispatcher.durable.arguments import RULES, too_short
from twisted_dispatcher.errors import DispatcherError, InvalidSettings
from twisted_dispatcher.registration.keywords import RESERVED, check_keywords, check_order
from twisted_dispatcher.registration.phases import check_phases, check_policies, stopping_phases
from twisted_dispatcher.stores.urls import SQLITE, scheme_of, sqlite_path, without_password

DAY: Final = 86400.0
PHASES: Final = ("before", "during", "after")
# What a dispatcher in memory has no use for.
NEED_A_STORE: Final = ("worker", "lease", "bury_after", "keep_payloads", "keep_keys")


def _names(value: Any) -> Any:
    """Freeze a series of names; what is none is left as it is, and judged later."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        return value
    return tuple(value)


def _frozen(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


@attrs.frozen
class Settings:
    """
    Everything that a dispatcher and its store are made of, checked when it is made.

    :param store: the URL of the store, as `open_store` takes it; None: in memory, without a store.
    :param keywords: the keywords that match specs and details may name.
    :param phases: the names of the phases, in order.
    :param on_failure: ``"continue"``, ``"stop"``, or one of them by phase.
    :param order_by: events with equal values of these keywords are handled one after another;
        ``()`` orders all events, None none.
    :param worker: whether it runs deliveries, or only accepts events for workers elsewhere.
    :param lease: seconds without a sign of life after which others take over.
    :param drain: seconds for which stopping waits for the handlers that are running.
    :param bury_after: seconds after which a delivery is dead that waits for a handler which no
        worker has; None: never.
    :param keep_payloads: seconds for which payloads are kept after their event is settled; None:
        for ever.
    :param keep_keys: the same for keys and deliveries.
    :raises InvalidSettings: with all that is wrong.
    """

    store: str | None = attrs.field(default=None, repr=without_password)
    keywords: tuple[str, ...] = attrs.field(default=(), converter=_names)
    phases: tuple[str, ...] = attrs.field(default=PHASES, converter=_names)
    on_failure: str | Mapping[str, str] = attrs.field(default="continue", converter=_frozen)
    order_by: tuple[str, ...] | None = attrs.field(default=None, converter=_names)
    worker: bool = True
    lease: float = 60.0
    drain: float = 30.0
    bury_after: float | None = 7 * DAY
    keep_payloads: float | None = None
    keep_keys: float | None = None

    def __attrs_post_init__(self) -> None:
        faults = _faults_of(self)
        if faults:
            raise InvalidSettings(faults)

    @classmethod
    def of(cls, given: Settings | str | Mapping[str, Any]) -> Settings:
        """
        Give the settings that a value stands for.

        :param given: settings, the URL of a store, or a mapping of settings by their names.
        :raises InvalidSettings: with all unknown names and all bad values.
        """
        if isinstance(given, Settings):
            return given
        if isinstance(given, str):
            return cls(store=given)
        if not isinstance(given, Mapping):
            raise InvalidSettings(
                [
                    "settings are a Settings, the URL of a store, or a mapping of names, not "
                    f"{type(given).__name__}"
                ]
            )
        unknown = [name for name in given if name not in NAMES]
        known = {name: value for name, value in given.items() if name in NAMES}
        try:
            settings = cls(**known)
        except InvalidSettings as error:
            raise InvalidSettings([*map(_unknown, unknown), *error.faults]) from None
        if unknown:
            raise InvalidSettings(map(_unknown, unknown))
        return settings


NAMES: Final = tuple(field.name for field in attrs.fields(Settings))
_DEFAULTS: Final = {field.name: field.default for field in attrs.fields(Settings)}


def _unknown(name: object) -> str:
    return f"there is no setting {name!r}: the settings are {', '.join(NAMES)}"


# What is wrong with settings


def _faults_of(settings: Settings) -> list[str]:
    faults = []
    for name, check in _CHECKS.items():
        try:
            fault = check(settings)
        except DispatcherError as error:
            fault = str(error)
        if fault is not None:
            faults.append(f"{name}: {fault}")
    return faults


def _store(settings: Settings) -> str | None:
    if settings.store is not None and scheme_of(settings.store) == SQLITE:
        sqlite_path(settings.store)
    if settings.store is None:
        idle = [name for name in NEED_A_STORE if getattr(settings, name) != _DEFAULTS[name]]
        if idle:
            return f"it is missing, and {', '.join(idle)} can mean nothing without it"
    return None


def _keywords(settings: Settings) -> str | None:
    if not isinstance(settings.keywords, (tuple, str)):
        return f"they are a series of names, not {settings.keywords!r}"
    # The same with and without a store, so that one may be added later.
    check_keywords(settings.keywords, RESERVED | {"key", "at"})
    return None


def _phases(settings: Settings) -> str | None:
    if not isinstance(settings.phases, (tuple, str)):
        return f"they are a series of names, not {settings.phases!r}"
    check_phases(settings.phases)
    return None


def _on_failure(settings: Settings) -> str | None:
    check_policies(settings.on_failure)
    # The name of a phase is judged only where there are phases to name.
    if isinstance(settings.phases, tuple) and _phases_are_well(settings):
        stopping_phases(settings.on_failure, settings.phases)
    return None


def _phases_are_well(settings: Settings) -> bool:
    try:
        return _phases(settings) is None
    except DispatcherError:
        return False


def _order_by(settings: Settings) -> str | None:
    if settings.order_by is None:
        return None
    if not isinstance(settings.order_by, (tuple, str)):
        return f"it is None or a series of keywords, not {settings.order_by!r}"
    if isinstance(settings.keywords, tuple):
        check_order(settings.order_by, settings.keywords)
    return None


def _argument(name: str) -> Callable[[Settings], str | None]:
    """Give a check by the rule that the dispatcher has for an argument of the same name."""

    def check(settings: Settings) -> str | None:
        wanted = RULES[name](getattr(settings, name))
        return None if wanted is None else f"it is {wanted}"

    return check


def _keep_keys(settings: Settings) -> str | None:
    fault = _argument("keep_keys")(settings)
    if fault is None and _argument("keep_payloads")(settings) is None:
        fault = too_short(settings.keep_payloads, settings.keep_keys)
    return fault


_CHECKS: Final[Mapping[str, Callable[[Settings], str | None]]] = {
    "store": _store,
    "keywords": _keywords,
    "phases": _phases,
    "on_failure": _on_failure,
    "order_by": _order_by,
    **{name: _argument(name) for name in RULES},
    "keep_keys": _keep_keys,
}
