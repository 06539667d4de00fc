"""
Eleven days in the life of the site, told in some seconds.

Ada, Bob and Cleo begin their challenges on the first day. Every day the site is swept, as a cron
job would do it, and a daemon writes mails about what was found. The staff has written one more
mail, for those who have not got half of their goal after five days. Nobody has told the mail
server to get up early: it sends the first mails away, and they come again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date, timedelta
from email.header import decode_header, make_header
from typing import Any

import attrs
from twisted.internet.task import deferLater

from examples.challenges.processes import Command, start
from examples.challenges.sink import SleepyInbox, served
from twisted_dispatcher import open_store
from twisted_dispatcher.interfaces import IStore

FIRST_DAY = date(2026, 3, 2)
# The days after the first one on which something is found.
DAYS = (1, 3, 8, 11)
# So many mails the mail server sends away.
REFUSALS = 2
# Seconds between two looks whether everything is done, and how many of them may pass.
GLANCE = 0.05
PATIENCE = 300.0


@attrs.frozen
class Told:
    """
    What has happened.

    :ivar mails: the day, the recipient and the subject of each mail.
    :ivar refused: the number of mails that were not taken at first.
    """

    mails: list[tuple[int, str, str]]
    refused: int


@attrs.define
class Site:
    """The site, by its database and its mail server."""

    reactor: Any
    database: str
    port: int

    def start(self, day: int, *words: str) -> Command:
        """Start a command on a day."""
        return start(self.reactor, self._environment(day), *words)

    async def run(self, day: int, *words: str) -> str:
        """Run a command on a day; give what it wrote."""
        return await self.start(day, *words).ended

    def _environment(self, day: int) -> Mapping[str, str]:
        return {
            **os.environ,
            "CHALLENGES_DATABASE": self.database,
            "CHALLENGES_MAIL": f"127.0.0.1:{self.port}",
            "CHALLENGES_PATIENCE": "0.1",
            "CHALLENGES_RUN": "daemon",
            "CHALLENGES_TODAY": str(FIRST_DAY + timedelta(days=day)),
            "DJANGO_SETTINGS_MODULE": "examples.challenges.settings",
        }


async def play(reactor: Any, database: str) -> Told:
    """
    Let the story happen in an empty database, and tell what came of it.

    :param database: the path of a SQLite file, or a URL of PostgreSQL.
    """
    inbox = SleepyInbox(REFUSALS)
    async with served(reactor, inbox) as port:
        site = Site(reactor, database, port)
        await site.run(0, "migrate")
        store = open_store(database if "://" in database else f"sqlite:///{database}")
        daemon = site.start(0, "run_dispatcher")
        try:
            mails = await _happen(site, store, inbox)
        finally:
            daemon.stop()
            await store.close()
        await daemon.ended
    return Told(mails, inbox.refused)


async def _happen(site: Site, store: IStore, inbox: SleepyInbox) -> list[tuple[int, str, str]]:
    mails: list[tuple[int, str, str]] = []
    await site.run(0, "make_up")
    for day in (0, *DAYS):
        if day:
            await site.run(day, "process_event_sources")
            await site.run(day, "process_mail_events")
        await _settled(site.reactor, store)
        told = sorted((day, str(mail["To"]), _subject(mail)) for mail in inbox.mails[len(mails) :])
        mails.extend(told)
    return mails


def _subject(mail: Any) -> str:
    return str(make_header(decode_header(mail["Subject"])))


async def _settled(reactor: Any, store: IStore) -> None:
    """Wait until nothing that was recorded is left to do."""
    end = reactor.seconds() + PATIENCE
    while (counts := await store.counts())["open"]:
        if reactor.seconds() > end:
            raise TimeoutError(f"after {PATIENCE} s there is still something to do: {counts}")
        await deferLater(reactor, GLANCE)
