"""Tests of killing the processes of a Django project, at random moments and again and again."""

from __future__ import annotations

import json
import os
import random
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from tests.django_project.databases import MORE, RUN
from tests.killing.nursery import Nursery
from tests.projects import Project, ProjectOnPostgreSQL, ProjectOnSQLite
from tests.test_django import CHECKOUT

if TYPE_CHECKING:
    _Project = Project
else:
    _Project = object

SEED = 20270117
# What a process tells of before it is killed: this many things at most.
LONGEST_LIFE = 30
# Seconds; after the last kill it is waited for.
LEASE = 3.0


def names(members: int, places: int) -> list[str]:
    """Give the names of the members that stay, of so many web processes."""
    return [f"{place}/{n}" for place in range(places) for n in range(members) if n % 4 != 3]


class Killing(_Project):
    """
    Processes of a project that are killed while members are saved and greeted.

    :cvar members: how many each web process saves, of which every fourth is rolled back.
    """

    timeout = 600
    members = 60

    def open(self, run: str, role: str, place: int) -> Nursery:
        """Open a nursery for a web process, or for a daemon."""
        from twisted.internet import reactor

        environment = {
            **os.environ,
            **self.environment,
            RUN: run,
            MORE: json.dumps({"LEASE": LEASE}),
            "PYTHONPATH": str(CHECKOUT),
        }
        arguments = [sys.executable, "-m", "tests.killing.club", role]
        arguments += [self.journal, str(self.members), str(place)]
        nursery = Nursery()
        spawn: Any = reactor
        spawn.spawnProcess(nursery, sys.executable, arguments, environment)
        self.addCleanup(nursery.close)
        return nursery

    async def lives(self, nursery: Nursery, kills: int, seed: int) -> int:
        """Kill what is born in a nursery so often, then let it live; tell how often it was."""
        chance = random.Random(seed)
        killed = 0
        for _ in range(kills):
            things = chance.choice((0, 1, chance.randrange(2, LONGEST_LIFE)))
            killed += await nursery.live(things)
        await nursery.live(None)
        return killed

    async def all_lives(self, nurseries: list[Nursery], kills: int) -> list[int]:
        """Have all live at the same time."""
        lives = [
            Deferred.fromCoroutine(self.lives(nursery, kills, SEED + place))
            for place, nursery in enumerate(nurseries)
        ]
        return list(await gatherResults(lives, consumeErrors=True))

    def check(self, places: int) -> None:
        """What was committed was handled, each at least once, and what was not has not been."""
        wanted = sorted(names(self.members, places))
        members = sorted(name for (name,) in self.query("SELECT name FROM club_member"))
        self.assertEqual(members, wanted)
        keys = [f"joined_{name}" for name in wanted]
        deliveries = self.query(
            "SELECT e.key, d.status FROM twisted_dispatcher_event e "
            "JOIN twisted_dispatcher_delivery d ON d.event_id = e.id"
        )
        self.assertEqual(sorted(deliveries), [(key, "done") for key in sorted(keys)])
        with open(self.journal) as journal:
            calls = [json.loads(line) for line in journal]
        self.assertEqual({call["key"] for call in calls}, set(keys))
        attempts = Counter((call["key"], call["attempt"]) for call in calls)
        self.assertEqual([each for each, count in attempts.items() if count > 1], [])
        given = self.query(
            "SELECT m.name FROM club_gift g JOIN club_member m ON m.id = g.member_id"
        )
        self.assertEqual({name for (name,) in given}, set(wanted))

    async def test_here(self) -> None:
        """A web process that handles its events itself is killed; nothing is lost."""
        self.journal = self.mktemp()
        killed = await self.lives(self.open("here", "web", 0), 8, SEED)
        await self.open("daemon", "daemon", 1).live(None)

        self.assertGreater(killed, 0)
        self.check(1)

    async def test_side_by_side(self) -> None:
        """Two web processes and two daemons are killed; nothing is lost."""
        self.journal = self.mktemp()
        webs = [self.open("daemon", "web", place) for place in range(2)]
        daemons = [self.open("daemon", "daemon", 2) for _ in range(2)]
        killed = await self.all_lives([*webs, *daemons], 4)

        # Of daemons that have nothing left to do, some end before they are killed.
        self.assertTrue(all(killed[:2]), killed)
        self.assertTrue(any(killed[2:]), killed)
        self.check(2)


class KillingOnSQLiteTests(Killing, ProjectOnSQLite, TestCase):
    """On a file of SQLite, which all processes share."""


class KillingOnPostgreSQLTests(Killing, ProjectOnPostgreSQL, TestCase):
    """On PostgreSQL."""
