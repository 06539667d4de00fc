"""
Processes of a Django project that are there to be killed, and the nursery that they are born in.

A *web* process saves members, in all ways in which that can be done, and some that are rolled
back. A *daemon* dispatches what they say. See `tests.killing.daemon`; nothing here is ahead of its
time, so that the lease of who was killed is waited for.

Usage: ``python -m tests.killing.club web|daemon JOURNAL MEMBERS PLACE``, with the environment of
`tests.django_project.settings`. The place of a web process is its number, that of a daemon how
many web processes there are.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import django

from tests.killing.daemon import say

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.django_project.settings")


class Journal:
    """The calls of handlers, in a file that outlives its writers."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def greet(self, event: Any) -> None:
        """Handle an event: write to the database, and take note of the attempt."""
        from tests.django_project.club.models import Gift
        from twisted_dispatcher import current_delivery

        Gift.objects.create(member=event["member"])
        current = current_delivery()
        call = {"key": current.key, "attempt": current.attempt, "name": event["member"].name}
        os.write(self._file, json.dumps(call).encode() + b"\n")
        say("called")


class Rollback(Exception):
    """What a web process rolls a transaction back with."""


def prepare(journal: Journal) -> None:
    """Register the source and the handler."""
    django.setup()
    from tests.django_project.club.models import Member
    from twisted_dispatcher.django.api import (
        event,
        register_group_handler,
        register_model_event_source,
    )

    def joined(member: Any) -> list[Any]:
        return [event("joined", member.name, {"member": member})]

    register_model_event_source(sender=Member, source=joined)
    register_group_handler(handler=journal.greet, group="joined")


def save(number: int, place: str) -> None:
    """Save a member in one of some ways; every fourth is taken back."""
    from django.db import transaction

    from tests.django_project.club.models import Member

    name = f"{place}/{number}"
    if number % 4 == 0:
        Member.objects.create(name=name)
        return
    try:
        with transaction.atomic():
            with transaction.atomic():
                Member.objects.create(name=name)
            # Somebody else's row is held until the end.
            list(Member.objects.select_for_update().filter(name__endswith="/0"))
            if number % 4 == 3:
                raise Rollback
    except Rollback:
        pass


def web(members: int, place: str) -> None:
    """Save the members that are not there yet, and end."""
    from tests.django_project.club.models import Member

    there = set(Member.objects.values_list("name", flat=True))
    for number in range(members):
        if f"{place}/{number}" not in there:
            save(number, place)
            say("saved")


def daemon(members: int, place: str) -> None:
    """Dispatch until nothing is left to do for any of the members."""
    from django.core.management import call_command
    from twisted.internet import reactor, task

    from twisted_dispatcher.django import running

    installed: Any = reactor
    wanted = {f"joined_{name}" for name in names(members, int(place))}

    async def look() -> None:
        dweller: Any = running._dwellers.get(True)
        if dweller is None:
            return
        store = dweller._service.store
        events = await store.events(keys=wanted, limit=len(wanted))
        settled = await store.settled({each.id for each in events})
        if len(settled) == len(wanted):
            looking.stop()
            installed.stop()

    looking = task.LoopingCall(look)
    installed.callWhenRunning(looking.start, 0.1)
    call_command("run_dispatcher", verbosity=0)


def names(members: int, places: int) -> list[str]:
    """Give the names of the members that stay, of so many web processes."""
    return [f"{place}/{n}" for place in range(places) for n in range(members) if n % 4 != 3]


def main(role: str, path: str, members: str, place: str) -> None:
    """Have a process born for every line on standard input."""
    Path(path).touch()
    prepare(Journal(path))
    for _ in sys.stdin:
        pid = os.fork()
        if not pid:
            say(f"born {os.getpid()}")
            live = web if role == "web" else daemon
            live(int(members), place)
            return
        _, status = os.waitpid(pid, 0)
        say(f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
