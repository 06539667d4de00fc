"""The commands, their options, and how each is run."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import click
from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner

from twisted_dispatcher.cli.application import ApplicationNotFound, Setup, load_application
from twisted_dispatcher.cli.complaints import Complaints
from twisted_dispatcher.cli.running import FAILED, Run
from twisted_dispatcher.cli.screen import ConsoleScreen
from twisted_dispatcher.errors import DispatcherError, InvalidPhases
from twisted_dispatcher.eventlogs import FORMATS, open_log
from twisted_dispatcher.registration.phases import check_phases


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="twisted_dispatcher")
def command() -> None:
    """Dispatch events to the handlers of an application."""


def _application(context: click.Context, option: click.Parameter, name: str) -> Setup:
    try:
        return load_application(name)
    except ApplicationNotFound as error:
        raise click.BadParameter(str(error)) from error
    except Exception:
        click.echo(
            f"importing {name.partition(':')[0]} failed:\n{traceback.format_exc()}", err=True
        )
        context.exit(FAILED)


def _phases(context: click.Context, option: click.Parameter, names: str) -> tuple[str, ...]:
    try:
        return check_phases(tuple(name.strip() for name in names.split(",")))
    except InvalidPhases as error:
        raise click.BadParameter(str(error)) from error


@command.command()
@click.argument("log", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--app",
    "setup",
    callback=_application,
    metavar="MODULE:FUNCTION",
    required=True,
    help="The application: a function that is called with the dispatcher, allows keywords and "
    "registers handlers. It may give a function, which is called at the end; what that gives "
    "is printed.",
)
@click.option(
    "--format",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    show_default=True,
    help="JSON Lines of CloudEvents, CSV or IEEE XES.",
)
@click.option("--encoding", help="The encoding of the log's text.  [default: utf-8]")
@click.option(
    "--phases",
    callback=_phases,
    default="before,during,after",
    show_default=True,
    metavar="NAMES",
    help="The phases of the dispatcher, in order.",
)
@click.option("--strict", is_flag=True, help="Stop at the first line that holds no event.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="How many events may be waiting for their handlers at once. With 1, each is wholly "
    "handled before the next one is fired.",
)
@click.option("--quiet", is_flag=True, help="Show no progress.")
def feed(
    log: str, setup: Setup, format: str, encoding: str | None, quiet: bool, **how: Any
) -> None:
    """
    Fire the events of LOG, one after the other, at the handlers of an application.

    LOG may be gzipped. Each event's details are those of its attributes that the application
    allows as keywords, their names made identifiers: concept:name becomes concept_name. The
    event itself carries all of them.

    A file is checked as a whole before the first event is fired. A pipe (LOG is -) can be read
    only once: what came before a fault in it was handled. Lines that hold no event are told,
    counted and passed over.

    The exit status is 0 if all went well, 1 if a handler failed, the log was refused or --strict
    stopped, 2 if the command was not understood, and 130 if it was interrupted.
    """
    screen = ConsoleScreen(progress=not quiet)
    try:
        opened = open_log(log, format=format, encoding=encoding)
        with screen.showing("checking"):
            opened.check(lambda: screen.progress(None, opened.fraction))
    except (DispatcherError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(FAILED)
    complaints = Complaints(screen.tell)
    globalLogBeginner.beginLoggingTo([complaints], redirectStandardIO=False)
    with opened, screen.showing("feeding"):
        _under_reactor(lambda reactor: Run(reactor, opened, setup, screen, complaints, **how))


def _under_reactor(make_run: Callable[[Any], Run]) -> NoReturn:
    """Start the reactor with a run, and exit with its status when that has ended."""
    from twisted.internet.task import react

    def main(reactor: Any) -> Deferred[None]:
        run = make_run(reactor)

        def interrupt() -> Deferred[None]:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C waits for nobody
            return run.interrupt()

        reactor.addSystemEventTrigger("before", "shutdown", interrupt)
        return run.start().addCallback(sys.exit)

    react(main)
