"""The tables into which a questionnaire is imported; a task that runs twice writes once."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

VARIABLE = "QUESTIONNAIRE_DATABASE"
TABLES = """
    CREATE TABLE IF NOT EXISTS subjects
        (questionnaire TEXT PRIMARY KEY, name TEXT NOT NULL, browser TEXT, closed INTEGER);
    CREATE TABLE IF NOT EXISTS responses
        (questionnaire TEXT, instance TEXT, answers TEXT, PRIMARY KEY (questionnaire, instance));
"""


@contextmanager
def opened() -> Iterator[sqlite3.Connection]:
    """Open the database that the environment names, and commit what was done with it."""
    path = os.environ.get(VARIABLE, "questionnaire.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(TABLES)
        yield connection


def add_subject(questionnaire: str, name: str) -> None:
    """Add the one who answers a questionnaire."""
    with opened() as connection:
        connection.execute(
            "INSERT INTO subjects (questionnaire, name) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (questionnaire, name),
        )


def add_responses(questionnaire: str, instance: str, answers: Mapping[str, Any]) -> None:
    """Add what was answered on one page; the instance of the task tells the pages apart."""
    with opened() as connection:
        connection.execute(
            "INSERT INTO responses VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (questionnaire, instance, json.dumps(answers, sort_keys=True)),
        )


def note_browser(questionnaire: str, browser: str) -> None:
    """Note which browser was used."""
    with opened() as connection:
        connection.execute(
            "UPDATE subjects SET browser = ? WHERE questionnaire = ?", (browser, questionnaire)
        )


def close(questionnaire: str) -> None:
    """Note that nothing more will come."""
    with opened() as connection:
        connection.execute(
            "UPDATE subjects SET closed = 1 WHERE questionnaire = ?", (questionnaire,)
        )


def subject(questionnaire: str) -> dict[str, Any] | None:
    """Give what is known of the one who answers, or None."""
    with opened() as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute(
            "SELECT * FROM subjects WHERE questionnaire = ?", (questionnaire,)
        ).fetchone()
    return dict(row) if row else None


def responses(questionnaire: str) -> list[dict[str, Any]]:
    """Give the answers that were imported, page by page."""
    with opened() as connection:
        rows = connection.execute(
            "SELECT answers FROM responses WHERE questionnaire = ? ORDER BY instance",
            (questionnaire,),
        ).fetchall()
    return [json.loads(answers) for (answers,) in rows]
