"""
What may be written behind the commands: their arguments and options, and how these are checked.

This module alone knows click; the modules with the commands put together what is here.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar

import click

from twisted_dispatcher.cli.application import (
    ApplicationNotFound,
    Setup,
    load_application,
    load_value,
)
from twisted_dispatcher.cli.statuses import FAILED
from twisted_dispatcher.cli.venues import DEFAULT_LEASE
from twisted_dispatcher.errors import BadStoreURL, InvalidPhases
from twisted_dispatcher.eventlogs import FORMATS
from twisted_dispatcher.records import STATUSES
from twisted_dispatcher.registration.phases import check_phases
from twisted_dispatcher.stores.urls import SQLITE, scheme_of, sqlite_path

STORE_VARIABLE = "TWISTED_DISPATCHER_STORE"

UsageError = click.UsageError

T = TypeVar("T")

# Longer numbers are no ids, and no database takes them.
_LONGEST_ID: Final = 18


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="twisted_dispatcher")
def command() -> None:
    """Dispatch events to the handlers of an application."""


def fail(error: object) -> NoReturn:
    """Say what went wrong on standard error, and end."""
    click.echo(f"Error: {error}", err=True)
    raise SystemExit(FAILED)


def say(text: str, *, aside: bool = False) -> None:
    """Write a text on standard output, or aside on standard error."""
    click.echo(text, err=aside)


# How values are checked


def _application(context: click.Context, option: click.Parameter, name: str) -> Setup:
    return _users(context, f"importing {name.partition(':')[0]}", load_application, name)


def _users(context: click.Context, doing: str, code: Callable[..., T], *arguments: Any) -> T:
    """Run code of the user's; what it raises is shown with its traceback, and ends the command."""
    try:
        return code(*arguments)
    except ApplicationNotFound as error:
        raise click.BadParameter(str(error)) from error
    except Exception:
        say(f"{doing} failed:\n{traceback.format_exc()}", aside=True)
        context.exit(FAILED)


def _phases(context: click.Context, option: click.Parameter, names: str) -> tuple[str, ...]:
    try:
        return check_phases(tuple(name.strip() for name in names.split(",")))
    except InvalidPhases as error:
        raise click.BadParameter(str(error)) from error


def _store_url(context: click.Context, option: click.Parameter, url: str | None) -> str | None:
    try:
        if url is not None and scheme_of(url) == SQLITE:
            sqlite_path(url)
    except BadStoreURL as error:
        raise click.BadParameter(str(error)) from error
    return url


def _json_value(context: click.Context, option: click.Parameter, text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"it is not JSON: {error}") from error


def _pair(
    context: click.Context, option: click.Parameter, text: str | None
) -> tuple[str, str] | None:
    if text is None:
        return None
    kind, equals, value = text.partition("=")
    if not (kind and equals and value):
        raise click.BadParameter(f"{text!r} is no resource: write TYPE=ID, as in order=17")
    return kind, value


def _renamed(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for text in texts:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise click.BadParameter(f"{text!r} renames nothing: write OLD=NEW")
        renamed[old] = new
    return renamed


def _chain_configs(context: click.Context, option: click.Parameter, name: str) -> Any:
    """Give what stands in a file, or what a Python name stands for; it is judged later."""
    module, colon, _ = name.partition(":")
    if not colon or "/" in module or module.endswith((".toml", ".json")):
        if name.lower().endswith((".toml", ".json")):
            return name
        raise click.BadParameter(
            f"{name!r} ends neither in .json nor in .toml: name such a file, or write MODULE:NAME"
        )
    value = _users(context, f"importing {module}", load_value, name)
    return _users(context, f"calling {name}", value) if callable(value) else value


def _json_object(context: click.Context, option: click.Parameter, text: str | None) -> Any:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"it is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise click.BadParameter("it is JSON, but no object: write {...}")
    return value


def is_id(text: str) -> bool:
    """Tell whether a text may be the number of an event or a delivery."""
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID


def _delivery(context: click.Context, option: click.Parameter, text: str) -> int:
    if not is_id(text):
        raise click.BadParameter(
            f"{text!r} is no id of a delivery, which is a number: `twisted-dispatcher list "
            "deliveries` lists them"
        )
    return int(text)


# Of feed

LOG = click.argument("log", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
APPLICATION = click.option(
    "--app",
    "setup",
    callback=_application,
    metavar="MODULE:FUNCTION",
    required=True,
    help="The application: a function that is called with a dispatcher (not, as that of sweep, "
    "with an EventSources), allows keywords and registers handlers. It may give a function, which "
    "is called at the end; what that gives is printed.",
)
FEED_STORE = click.option(
    "--store",
    "store_url",
    callback=_store_url,
    metavar="URL",
    help="Make the events durable in this store, and deliver them from there: "
    "sqlite:///PATH or postgresql://USER@HOST/DATABASE. It is made where there is none.",
)
LEASE = click.option(
    "--lease",
    type=click.FloatRange(min=0.1),
    default=DEFAULT_LEASE,
    show_default=True,
    metavar="SECONDS",
    help="With a store: when this run is killed, another one goes on with the deliveries that it "
    "was running after so many seconds.",
)
LOG_NAME = click.option(
    "--log-name",
    metavar="NAME",
    help="With a store: what the log is called in the keys of events that have none; by default "
    "its full path, or 'standard input'.",
)
FORMAT = click.option(
    "--format",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    show_default=True,
    help="JSON Lines of CloudEvents, CSV or IEEE XES.",
)
ENCODING = click.option("--encoding", help="The encoding of the log's text.  [default: utf-8]")
PHASES = click.option(
    "--phases",
    callback=_phases,
    default="before,during,after",
    show_default=True,
    metavar="NAMES",
    help="The phases of the dispatcher, in order.",
)
STRICT = click.option("--strict", is_flag=True, help="Stop at the first line that holds no event.")
CONCURRENCY = click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many events may be waiting for their handlers at once: by default 1, so that each "
    "is wholly handled before the next one is fired, and with a store 100.",
)
QUIET = click.option("--quiet", is_flag=True, help="Show no progress.")

# Of sweep

SOURCES = click.option(
    "--app",
    "setup",
    callback=_application,
    metavar="MODULE:FUNCTION",
    required=True,
    help="The application: a function that is called with an EventSources (not, as that of feed, "
    "with a dispatcher), and registers sources and handlers of groups.",
)
SENDER = click.option(
    "--sender", metavar="NAME", help="Sweep only the objects of this sender; by default all."
)
RESUME = click.option(
    "--resume/--afresh",
    "resume",
    default=False,
    help="Go on where the last sweep was stopped, if it was; or look at all objects.  "
    "[default: afresh]",
)
RECORD_ONLY = click.option(
    "--record-only",
    is_flag=True,
    help="Run no handlers here: record what is new, for daemons that handle it.",
)
WINDOW = click.option(
    "--window",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="How many new events may be under way at once.",
)

# Of what asks a store

STORE = click.option(
    "--store",
    "store_url",
    callback=_store_url,
    envvar=STORE_VARIABLE,
    show_envvar=True,
    metavar="URL",
    required=True,
    help="The store: sqlite:///PATH or postgresql://USER@HOST/DATABASE.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
LIMIT = click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Give so many at most.",
)
OPEN = click.option(
    "--open/--settled",
    "open",
    default=None,
    help="Only those that have something left to do, or only those that have not.",
)
STATUS = click.option("--status", type=click.Choice(STATUSES), help="Only those of this status.")
KEY = click.option("--key", help="Only those of the event with this key.")
HANDLER = click.option("--handler", metavar="NAME", help="Only those to this handler.")
PAYLOAD = click.option(
    "--payload", is_flag=True, help="Show what the event says, too: its body, details and lane."
)
EVENT = click.argument("event", metavar="EVENT_OR_CHAIN")
EVENT_OR_DELIVERY = click.argument("what", metavar="EVENT_DELIVERY_OR_CHAIN")
DELIVERY = click.argument("delivery_id", callback=_delivery, metavar="DELIVERY_ID")
CONTEXT = click.option(
    "--context",
    callback=_json_object,
    metavar="JSON",
    help="What the event's context shall be from now on, as a JSON object.",
)

# Of what is about chains

CHAIN = click.argument("chain_id", metavar="CHAIN_ID")
SIGNAL = click.argument("name", metavar="SIGNAL")
VALUE = click.option(
    "--value",
    callback=_json_value,
    metavar="JSON",
    help="What the transitions that wait for it shall see, as JSON.",
)
CHAIN_TYPE = click.option("--type", "chain_type", metavar="TYPE", help="Only those of this type.")
OF_TYPE = click.option(
    "--type", "chain_type", metavar="TYPE", help="The type of chain, where there are several."
)
STATE = click.option("--state", help="Only those in this state.")
RESOURCE = click.option(
    "--resource",
    "pair",
    callback=_pair,
    metavar="TYPE=ID",
    help="Only those with this resource; give --type as well.",
)
ONLY_PARKED = click.option("--parked", is_flag=True, help="Only those that have failed too often.")
CHAIN_CONFIGS = click.argument("chain_configs", callback=_chain_configs, metavar="CONFIGURATION")
COUNT_IN = click.option(
    "--store",
    "store_url",
    callback=_store_url,
    metavar="URL",
    help="Show how many chains of this store are in which state.",
)
RENAMED = click.option(
    "--rename",
    "renamed",
    callback=_renamed,
    multiple=True,
    metavar="OLD=NEW",
    help="As if the configuration renamed a state; may be given several times.",
)

# Of what looks into configurations of trigger sessions

CONFIGURATION = click.argument(
    "path", metavar="FILE", type=click.Path(exists=True, dir_okay=False)
)
FIRED = click.option(
    "--trigger",
    "fired",
    multiple=True,
    metavar="NAME",
    help="A trigger that is fired from outside; give all of them, each with this option.",
)
WITHOUT_CODE = click.option(
    "--without-code",
    is_flag=True,
    help="Do not look whether the code of the tasks can be imported here.",
)

# Of what looks into trigger sessions

PREFIX = click.option(
    "--prefix",
    default="",
    metavar="TEXT",
    help="Only those whose uid begins so: 'applicant:123/' for a namespace.",
)
FIRED_WITH = click.option(
    "--payload",
    is_flag=True,
    help="Show what the instances were fired with and what they gave, too: kwargs and result.",
)
SESSION = click.argument("uid", metavar="UID")
TASK = click.argument("task", metavar="TASK")
