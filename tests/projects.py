"""The database of a Django project whose processes are tested."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.django_project.databases import DATABASE
from tests.postgresql import PostgreSQL, url_of_schema
from tests.test_django import CHECKOUT, command

if TYPE_CHECKING:
    _TestCase = SynchronousTestCase
else:
    _TestCase = object

# Far more seconds than it takes.
LIMIT = 120.0


def migrate(url: str) -> None:
    """Have the project's tables made."""
    arguments = ("migrate", "--run-syncdb", "--verbosity=0", "--skip-checks")
    done = subprocess.run(
        [*command("tests.django_project"), *arguments],
        cwd=CHECKOUT,
        env={**os.environ, DATABASE: url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stdout


def migrate_schema(schema: str) -> None:
    """Have the project's tables made in a schema."""
    migrate(url_of_schema(schema))


class Project(_TestCase):
    """
    A test with a database of its own, which has the project's tables.

    :ivar environment: variables that name the database.
    """

    def make_url(self) -> str:
        """Give the URL of a database with the project's tables."""
        raise NotImplementedError

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        raise NotImplementedError

    def setUp(self) -> None:
        """Have a database."""
        if find_spec("django") is None:
            raise SkipTest("Django is not installed")
        self.environment = {DATABASE: self.make_url(), "PYTHONUNBUFFERED": "1"}


class ProjectOnSQLite(Project):
    """On a file of SQLite, which all processes share."""

    _template: Path | None = None

    def make_url(self) -> str:
        """Copy a file that has the tables."""
        if ProjectOnSQLite._template is None:
            template = Path(self.mktemp()).absolute()
            migrate(f"sqlite:///{template}")
            ProjectOnSQLite._template = template
        self.path = Path(self.mktemp()).absolute()
        shutil.copy(ProjectOnSQLite._template, self.path)
        return f"sqlite:///{self.path}"

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        with closing(sqlite3.connect(self.path, timeout=60)) as connection:
            return connection.execute(sql).fetchall()


class ProjectOnPostgreSQL(Project, PostgreSQL):
    """On PostgreSQL."""

    def make_url(self) -> str:
        """Have a schema with the tables."""
        return self.have_tables(migrate_schema)

    def query(self, sql: str) -> list[Any]:
        """Ask the database."""
        return self.sql.execute(sql).fetchall()
