"""The command of the questionnaire; see the package."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from examples.questionnaire import archive
from examples.questionnaire.survey import Questionnaire
from twisted_dispatcher import DurableDispatcher, open_store
from twisted_dispatcher.errors import UnknownSession


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read what is to be done."""
    parser = argparse.ArgumentParser(prog="python -m examples.questionnaire")
    parser.add_argument(
        "--store", default="sqlite:///questionnaire.db", help="where sessions live"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (
        ("start", "begin a questionnaire"),
        ("page", "take the answers of one page"),
        ("complete", "there are no more pages"),
        ("show", "tell what has become of it"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("number")
        if name == "page":
            command.add_argument("answers", nargs="+", type=answer, metavar="NAME=VALUE")
            command.add_argument("--embedded", action="store_true", help="in an application")
    return parser.parse_args(words)


def answer(word: str) -> tuple[str, str]:
    """Read one answer of a page."""
    name, equals, value = word.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{word!r} is no answer: write NAME=VALUE")
    return name, value


async def run(asked: argparse.Namespace, questionnaire: Questionnaire) -> str:
    """Do what was asked for, and tell what has become of the questionnaire."""
    if asked.command == "start":
        await questionnaire.start()
    elif asked.command == "page":
        await questionnaire.receive(dict(asked.answers), embedded=asked.embedded)
    elif asked.command == "complete":
        await questionnaire.complete()
    await questionnaire.settled()
    return await report(questionnaire)


async def report(questionnaire: Questionnaire) -> str:
    """List the instances of the session, and what was imported."""
    storage = await questionnaire.manager.storage.load()
    lines = [f"{name}: {storage.instances[name].status}" for name in sorted(storage.instances)]
    subject = archive.subject(storage.uid)
    if subject:
        lines.append(f"subject: {subject['name']}, with {subject['browser'] or 'no browser'}")
    lines += [f"answers: {answers}" for answers in archive.responses(storage.uid)]
    if subject and subject["closed"]:
        lines.append("closed")
    return "\n".join(lines) or "nothing yet"


async def main(reactor: Any, asked: argparse.Namespace) -> None:
    """Run one command on the store, and end when nothing is left to do."""
    store = open_store(asked.store)
    dispatcher = DurableDispatcher(store)
    dispatcher.start()
    try:
        await dispatcher.when_ready()
        print(await run(asked, Questionnaire(asked.number, dispatcher)))
    except UnknownSession:
        number = asked.number
        raise SystemExit(f"there is no questionnaire {number}: start {number} first") from None
    finally:
        await dispatcher.stop()
        await store.close()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, arguments())))
