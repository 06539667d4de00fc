"""
Short programs of the project, to be run as processes: ``python -m tests.django_project.programs``.

Each registers a source and a handler, and says on standard output what happens. What is given
after its name is for it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.django_project.settings")
# Where the handlers block, it is for good.
FOR_EVER = 1e6


def say(*what: object) -> None:
    """Say something, by a single call."""
    os.write(1, (" ".join(map(str, what)) + "\n").encode())


def prepare(handler: Callable[[Any], object]) -> None:
    """Have Django ready, with a source and a handler."""
    django.setup()
    from tests.django_project.club.models import Member
    from twisted_dispatcher import HandlerOptions
    from twisted_dispatcher.django.api import (
        event,
        register_group_handler,
        register_model_event_source,
    )

    def joined(member: Any) -> list[Any]:
        return [event("joined", member.name, {"member": member})]

    register_model_event_source(sender=Member, source=joined)
    # Whatever it is here, elsewhere it has the same name.
    register_group_handler(handler=handler, group="joined", options=HandlerOptions(name="greet"))


def save(*names: str) -> None:
    """Save members."""
    from tests.django_project.club.models import Member

    for name in names:
        Member.objects.create(name=name)


def greet(event: Any) -> None:
    """Say that a member was greeted."""
    say("greeted", event["member"].name)


def hang(event: Any) -> None:
    """Never end."""
    say("hangs", event["member"].name)
    time.sleep(FOR_EVER)


def look(*arguments: str) -> None:
    """Do what starts nothing."""
    prepare(greet)
    from tests.django_project.club.models import Member
    from twisted_dispatcher.django import api, running  # noqa: F401

    call_command("migrate", verbosity=0)
    say(Member.objects.count(), "members")
    say("reactor", "twisted.internet.reactor" in sys.modules)
    say(threading.active_count(), "threads")


def script(*names: str) -> None:
    """Save members and end; what was recorded is handled before."""
    prepare(greet)
    save(*names)
    say("ends")


def impatient(*names: str) -> None:
    """Save members, and end while their handler hangs."""
    prepare(hang)
    save(*names)
    say("ends")


def prefork(*names: str) -> None:
    """Fork a child for each member, as a server does; each saves one and ends."""
    prepare(greet)
    children = []
    for name in names:
        pid = os.fork()
        if not pid:
            save(name)
            say("ends", name)
            return
        children.append(pid)
    say("codes", *(os.waitstatus_to_exitcode(os.waitpid(each, 0)[1]) for each in children))


def late_fork(*names: str) -> None:
    """Fork a child when the dispatcher runs already; it saves two members and ends."""
    prepare(greet)
    first, *others = names
    save(first)
    from django.db import connections

    from twisted_dispatcher.django import running

    running.connection()
    # What was forked must not use, nor end, the connection of its parent.
    connections.close_all()
    pid = os.fork()
    if not pid:
        save(*others)
        say("child ends")
        os._exit(0)
    say("code", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    deadline = time.monotonic() + 60
    while running.connection().call(_open) and time.monotonic() < deadline:
        time.sleep(0.05)
    say("ends")


async def _open() -> int:
    from twisted_dispatcher.django import running

    dweller: Any = running._dwellers[True]
    counts = await dweller._service.store.counts()
    return int(counts["open"])


def daemon(*arguments: str) -> None:
    """Run the daemon; its handler says so, waits for its turn, and ends itself on demand."""

    def slow(event: Any) -> None:
        say("begins", event["member"].name)
        time.sleep(0.5)
        say("greeted", event["member"].name)

    prepare(hang if "hang" in arguments else slow if "slow" in arguments else greet)
    options = [each for each in arguments if each.startswith("--")]
    call_command("run_dispatcher", *options)
    say("daemon ends")


def settles(name: str) -> None:
    """Save a member, and end at once by a signal when its handler was called."""

    def die(event: Any) -> None:
        say("dies", event["member"].name)
        os.kill(os.getpid(), signal.SIGKILL)

    prepare(die)
    save(name)
    time.sleep(FOR_EVER)


def commits(name: str) -> None:
    """Save a member, and die between the commit and the wake."""
    prepare(greet)
    from twisted_dispatcher.django import running

    def die(event_ids: Any) -> None:
        say("dies")
        os.kill(os.getpid(), signal.SIGKILL)

    running._committed = die
    save(name)


def records(name: str) -> None:
    """Save a member, and die between the recording and the commit."""
    prepare(greet)
    from django.db import transaction

    with transaction.atomic():
        save(name)
        say("dies")
        os.kill(os.getpid(), signal.SIGKILL)


def sweeps(limit: str) -> None:
    """Sweep fifty members, seven at a time, from where that has got to; die at one of them."""
    prepare(greet)
    from tests.django_project.club.models import Member
    from twisted_dispatcher.django.api import register_model_event_source

    seen: list[Any] = []

    def watch(member: Any) -> None:
        seen.append(member)
        if len(seen) == int(limit):
            os.kill(os.getpid(), signal.SIGKILL)

    register_model_event_source(sender=Member, source=watch)
    if not Member.objects.exists():
        Member.objects.bulk_create(Member(name=f"m{number:02}") for number in range(50))
    call_command("process_event_sources", "--batch=7", "--resume")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
