"""The command `feed`, and how all of them are put together."""

from __future__ import annotations

from typing import Any

from twisted.logger import globalLogBeginner

from twisted_dispatcher.cli import chains, options
from twisted_dispatcher.cli.application import Setup
from twisted_dispatcher.cli.complaints import Complaints
from twisted_dispatcher.cli.inspecting import listing, show, why
from twisted_dispatcher.cli.mending import migrate, replay, skip
from twisted_dispatcher.cli.options import command
from twisted_dispatcher.cli.reacting import run_and_exit
from twisted_dispatcher.cli.running import Run
from twisted_dispatcher.cli.screen import ConsoleScreen
from twisted_dispatcher.cli.sessions import session
from twisted_dispatcher.cli.sweeps import sweep
from twisted_dispatcher.cli.workflows import check
from twisted_dispatcher.errors import DispatcherError
from twisted_dispatcher.eventlogs import open_log
from twisted_dispatcher.stores import open_store

__all__ = ["command", "feed"]

_OF_CHAINS = (
    chains.signal,
    chains.disable,
    chains.enable,
    chains.resume,
    chains.graph,
    chains.plan,
)
for _command in (listing, show, why, replay, skip, migrate, check, session, sweep, *_OF_CHAINS):
    command.add_command(_command)


@command.command()
@options.LOG
@options.APPLICATION
@options.FEED_STORE
@options.FORMAT
@options.ENCODING
@options.PHASES
@options.STRICT
@options.CONCURRENCY
@options.LEASE
@options.LOG_NAME
@options.QUIET
def feed(
    log: str,
    setup: Setup,
    store_url: str | None,
    format: str,
    encoding: str | None,
    quiet: bool,
    **how: Any,
) -> None:
    """
    Fire the events of LOG, one after the other, at the handlers of an application.

    LOG may be gzipped. Each event's details are those of its attributes that the application
    allows as keywords, their names made identifiers: concept:name becomes concept_name. The
    event itself carries all of them.

    A file is checked as a whole before the first event is fired. A pipe (LOG is -) can be read
    only once: what came before a fault in it was handled. Lines that hold no event are told,
    counted and passed over.

    With --store the events are made durable. Run it again, whatever has ended it: it first goes
    on with what was left, and takes up only those events that the store does not know. It ends
    when all of them are settled.

    The exit status is 0 if all went well, 1 if a handler failed, the log was refused, the store
    failed or --strict stopped, 2 if the command was not understood, and 130 if it was interrupted.
    """
    screen = ConsoleScreen(progress=not quiet)
    try:
        opened = open_log(log, format=format, encoding=encoding)
        with screen.showing("checking"):
            opened.check(lambda: screen.progress(None, opened.fraction))
        store = None if store_url is None else open_store(store_url)
    except (DispatcherError, OSError) as error:
        options.fail(error)
    complaints = Complaints(screen.tell)
    globalLogBeginner.beginLoggingTo([complaints], redirectStandardIO=False)
    with opened, screen.showing("feeding"):
        run_and_exit(
            lambda reactor: Run(reactor, opened, setup, screen, complaints, store=store, **how)
        )
