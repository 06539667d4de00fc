"""Lets ``python -m examples.challenges`` tell the story."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from examples.challenges.story import Told, play


async def main(reactor: Any) -> None:
    """Let the story happen in a new database, and print what came of it."""
    with TemporaryDirectory() as directory:
        told = await play(reactor, str(Path(directory) / "site.sqlite3"))
    print(text_of(told), end="")


def text_of(told: Told) -> str:
    """Tell the story to people."""
    lines = [f"day {day:2}  to {who:18}  {subject}" for day, who, subject in told.mails]
    return "\n".join(lines) + f"\n\n{told.refused} mails were sent away at first, and came again\n"


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
