"""What the commands say of configurations of trigger sessions: `check`, and a part of `graph`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted_dispatcher import triggers
from twisted_dispatcher.cli import options
from twisted_dispatcher.cli.application import look_here
from twisted_dispatcher.cli.options import command
from twisted_dispatcher.cli.statuses import FAILED
from twisted_dispatcher.errors import InvalidConfigurationFile
from twisted_dispatcher.triggers.files import read_configuration
from twisted_dispatcher.triggers.tasks import task_fault


@command.command()
@options.CONFIGURATION
@options.FIRED
@options.WITHOUT_CODE
def check(path: str, fired: Sequence[str], without_code: bool) -> None:
    """
    Look for what is wrong, or odd, in the configuration of trigger sessions in FILE.

    Wrong is what a session would refuse. Odd are tasks that can never run, tasks that wait for one
    another, and, where --trigger tells all that is fired, triggers that nobody fires.

    The exit status is 0 if nothing was found, and 1 otherwise.
    """
    configuration = _configuration(path, None if without_code else task_fault)
    findings = triggers.check(configuration, fired or None)
    for finding in findings:
        options.say(f"{path}: {finding}")
    if findings:
        raise SystemExit(FAILED)
    options.say(f"{path}: nothing is wrong with its {len(configuration)} tasks")


def is_of_sessions(given: Any) -> bool:
    """Tell whether what was given is a file that can be read, and has tasks in it."""
    if not isinstance(given, str):
        return False
    try:
        tasks = read_configuration(given).tasks.values()
    except (InvalidConfigurationFile, OSError):
        return False
    return any(isinstance(each, dict) and each.keys() & {"after", "run"} for each in tasks)


def drawn(path: str) -> str:
    """Give the Mermaid text of a configuration; its code need not be there."""
    return triggers.graph(_configuration(path, None)).rstrip()


def _configuration(path: str, run_fault: Any) -> dict[str, Any]:
    look_here()
    try:
        return triggers.load_configuration(path, run_fault)
    except (InvalidConfigurationFile, OSError) as error:
        options.fail(error)
