"""The command `sweep`."""

from __future__ import annotations

from typing import Any

from twisted.logger import globalLogBeginner

from twisted_dispatcher.cli import options
from twisted_dispatcher.cli.application import Setup
from twisted_dispatcher.cli.complaints import Complaints
from twisted_dispatcher.cli.options import command
from twisted_dispatcher.cli.reacting import run_and_exit
from twisted_dispatcher.cli.screen import ConsoleScreen
from twisted_dispatcher.cli.sweeprun import SweepRun, Wish
from twisted_dispatcher.errors import DispatcherError
from twisted_dispatcher.stores import open_store


@command.command()
@options.SOURCES
@options.STORE
@options.SENDER
@options.RESUME
@options.RECORD_ONLY
@options.WINDOW
@options.PHASES
@options.LEASE
@options.QUIET
def sweep(setup: Setup, store_url: str, quiet: bool, **wish: Any) -> None:
    """
    Run the sources of an application on all their objects, and handle what is new.

    Objects are looked at one by one. It is kept in the store how far a sweep has come: one that
    was stopped by Ctrl-C or a signal, or killed, goes on there with --resume.

    The exit status is 0 if all went well, 1 if something could not be recorded, a source broke, a
    handler failed or the store did, 2 if the command was not understood, and 130 if it was
    stopped.
    """
    screen = ConsoleScreen(progress=not quiet)
    try:
        store = open_store(store_url)
    except (DispatcherError, OSError) as error:
        options.fail(error)
    complaints = Complaints(screen.tell)
    globalLogBeginner.beginLoggingTo([complaints], redirectStandardIO=False)
    with screen.showing("sweeping"):
        run_and_exit(
            lambda reactor: SweepRun(reactor, store, setup, screen, complaints, Wish(**wish))
        )
