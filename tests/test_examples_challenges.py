"""The example of the Django site with challenges: its story, and its own tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from uuid import uuid4

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

import examples
from examples.challenges.__main__ import text_of
from examples.challenges.processes import MANAGE
from examples.challenges.story import REFUSALS, Told, play
from tests.postgresql import PostgreSQL, missing, server_url

MAILS = [
    (0, "ada@example.org", "“Ada swims across the lake” has begun"),
    (0, "bob@example.org", "“Bob eats no chocolate & no cake” has begun"),
    (0, "cleo@example.org", "“Cleo reads <War and Peace> aloud” has begun"),
    (0, "eve@example.org", "Thank you, Eve"),
    (0, "eve@example.org", "Thank you, Eve"),
    (0, "finn@example.org", "Thank you, Finn"),
    (0, "finn@example.org", "Thank you, Finn"),
    (0, "gus@example.org", "Thank you, Gus"),
    (3, "bob@example.org", "“Bob eats no chocolate & no cake” needs a push"),
    (8, "ada@example.org", "Does your newspaper know?"),
    (8, "ada@example.org", "“Ada swims across the lake” ends soon"),
    (8, "bob@example.org", "Does your newspaper know?"),
    (8, "cleo@example.org", "Does your newspaper know?"),
    (11, "ada@example.org", "“Ada swims across the lake” has brought 40"),
]


class Story:
    """What happens on the site, whatever its database is."""

    async def told(self) -> Told:
        """Let the story happen."""
        raise NotImplementedError

    async def test_story(self) -> None:
        """Each event is mailed once, on its day, also where the mail server came late."""
        told = await self.told()

        assert isinstance(self, TestCase)
        self.assertEqual(MAILS, told.mails)
        self.assertEqual(REFUSALS, told.refused)
        self.assertIn(f"{REFUSALS} mails were sent away", text_of(told))


class SQLiteStoryTests(Story, TestCase):
    """The story in a SQLite file."""

    timeout = 600

    async def told(self) -> Told:
        return await play(reactor, str(Path(self.mktemp()).absolute()))


class PostgreSQLStoryTests(Story, PostgreSQL, TestCase):
    """The story in a schema of PostgreSQL."""

    timeout = 600

    async def told(self) -> Told:
        return await play(reactor, self.make_schema())


class OwnTests(TestCase):
    """The tests of the site, which Django runs."""

    timeout = 600

    async def run_tests(self, database: str, test_database: str) -> None:
        """Run them in a process of their own, and fail with what it wrote if one fails."""
        environment = {
            **os.environ,
            "CHALLENGES_DATABASE": database,
            "CHALLENGES_TEST_DATABASE": test_database,
            "PYTHONPATH": str(Path(examples.__file__).parent.parent),
        }
        running: Deferred[tuple[bytes, bytes, int]] = getProcessOutputAndValue(
            sys.executable,
            [MANAGE, "test", "examples.challenges", "--no-input"],
            env=environment,
            path=str(Path(self.mktemp()).absolute().parent),
        )
        out, errors, status = await running
        written = (out + errors).decode(errors="replace")
        self.assertEqual(0, status, written)
        self.assertRegex(written, r"Ran [1-9]\d+ tests")

    async def test_on_sqlite(self) -> None:
        """They pass on SQLite."""
        path = Path(self.mktemp()).absolute()
        await self.run_tests(str(path), f"{path}.test")

    async def test_on_postgresql(self) -> None:
        """They pass on PostgreSQL."""
        url = server_url()
        if url is None:
            raise missing("there is no PostgreSQL to run the tests of the site on")
        await self.run_tests(url, f"test_challenges_{uuid4().hex[:12]}")
