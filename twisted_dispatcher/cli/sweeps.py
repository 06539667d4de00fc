"""The commands `sweep` and `list sweeps`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs
from twisted.logger import globalLogBeginner

from twisted_dispatcher.cli import options
from twisted_dispatcher.cli.application import Setup
from twisted_dispatcher.cli.asking import ask_store
from twisted_dispatcher.cli.complaints import Complaints
from twisted_dispatcher.cli.forms import time_form
from twisted_dispatcher.cli.inspecting import listing
from twisted_dispatcher.cli.options import command
from twisted_dispatcher.cli.reacting import run_and_exit
from twisted_dispatcher.cli.screen import ConsoleScreen
from twisted_dispatcher.cli.sweeprun import SweepRun, Wish
from twisted_dispatcher.errors import DispatcherError
from twisted_dispatcher.status.reasons import in_utc
from twisted_dispatcher.stores import open_store
from twisted_dispatcher.sweeprecords import SweepRow


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


@listing.command("sweeps")
@options.STORE
@options.LIMIT
@options.AS_JSON
def list_sweeps(store_url: str, limit: int, as_json: bool) -> None:
    """List sweeps, the one that has gone on last first, and how far each has come."""

    def tell(found: Sequence[SweepRow]) -> None:
        if as_json:
            options.say(json.dumps([_form(each) for each in found], indent=2))
        else:
            _show(found)

    async def ask(store: Any, clock: Any) -> list[SweepRow]:
        found: list[SweepRow] = await store.sweeps.sweeps(limit)
        return found

    ask_store(store_url, ask, tell)


def _show(sweeps: Sequence[SweepRow]) -> None:
    screen = ConsoleScreen(progress=False)
    rows = [
        (
            each.name,
            f"{each.objects:,}",
            in_utc(each.began),
            in_utc(each.changed),
            "not yet" if each.ended is None else in_utc(each.ended),
        )
        for each in sweeps
    ]
    if rows:
        screen.table(("sweep", "objects", "began", "noted", "ended"), rows)
    else:
        screen.tell("no sweeps")


def _form(sweep: SweepRow) -> dict[str, Any]:
    """Give a sweep for programs; its position is the application's own, and may say much."""
    times = {name: time_form(getattr(sweep, name)) for name in ("began", "changed", "ended")}
    form = {**attrs.asdict(sweep), **times}
    del form["position"]
    return form
