"""The commands that look into configurations of trigger sessions: `check` and `graph`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from twisted_dispatcher.cli import options
from twisted_dispatcher.cli.options import command
from twisted_dispatcher.cli.statuses import FAILED
from twisted_dispatcher.errors import InvalidConfigurationFile
from twisted_dispatcher.triggers import check, graph, load_configuration
from twisted_dispatcher.triggers.tasks import task_fault


@command.command("check")
@options.CONFIGURATION
@options.FIRED
@options.WITHOUT_CODE
def check_file(path: str, fired: Sequence[str], without_code: bool) -> None:
    """
    Look for what is wrong, or odd, in the configuration of trigger sessions in FILE.

    Wrong is what a session would refuse. Odd are tasks that can never run, tasks that wait for one
    another, and, where --trigger tells all that is fired, triggers that nobody fires.

    The exit status is 0 if nothing was found, and 1 otherwise.
    """
    configuration = _configuration(path, None if without_code else task_fault)
    findings = check(configuration, fired or None)
    for finding in findings:
        options.say(f"{path}: {finding}")
    if findings:
        raise SystemExit(FAILED)
    options.say(f"{path}: nothing is wrong with its {len(configuration)} tasks")


@command.command("graph")
@options.CONFIGURATION
def graph_file(path: str) -> None:
    """
    Draw the configuration of trigger sessions in FILE, as a Mermaid flowchart.

    Round nodes are triggers, square ones tasks. A thick arrow is andEvery, a dotted one unless.
    """
    options.say(graph(_configuration(path, None)).rstrip())


def _configuration(path: str, run_fault: Any) -> dict[str, Any]:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return load_configuration(path, run_fault)
    except (InvalidConfigurationFile, OSError) as error:
        options.fail(error)
