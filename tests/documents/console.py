"""Runs the commands that a document shows, and compares what they print.

Some commands are only recognised: they fetch from the network, change the environment that the
tests run in, or (``make test``) would run these very tests again. What can be known without
running them is checked: that the Makefile has the target and the package the extra.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import tomli
from attrs import evolve, frozen

from tests.documents.blocks import Block
from tests.documents.sessions import COMPARISON

SECONDS_PER_COMMAND = 300

COMMAND = re.compile(r"^\s*\$ ", re.MULTILINE)

_SET_UP = re.compile(
    r"(?:(?P<make>make)|(?P<pip>(?:python3? -m )?pip install)|git clone|cd|python3? -m venv"
    r"|(?:\.|source) \S*/activate)(?:\s+(?P<words>.*))?$",
    re.DOTALL,
)
_EXTRAS = re.compile(r"^['\"]?(?:\.|twisted[_-]dispatcher)\[(?P<extras>.*?)\]")
_TARGET = re.compile(r"^([\w-]+):(?!=)", re.MULTILINE)


@frozen
class Command:
    """What was typed at one prompt, and what was shown below it."""

    text: str
    line: int
    output: str = ""


def commands_of(block: Block) -> list[Command]:
    """Give the commands of the block: ``$`` begins one, ``>`` or a backslash continues it."""
    commands: list[Command] = []
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        if line.startswith("$ "):
            commands.append(Command(line[2:], number))
        elif commands:
            commands[-1] = _with_line(commands[-1], line)
        elif line.strip():
            raise ValueError(f"line {number}: a console block begins with a command, after '$ '")
    return commands


def _with_line(command: Command, line: str) -> Command:
    if not command.output and (line.startswith("> ") or command.text.endswith("\\")):
        return evolve(command, text=f"{command.text}\n{line.removeprefix('> ')}")
    return evolve(command, output=f"{command.output}{line}\n")


@frozen
class Terminal:
    """Where the commands of one document run: in a directory that has the examples in it."""

    checkout: Path
    directory: Path
    document: str

    def run(self, command: Command, exit_status: int = 0) -> list[str]:
        """Run the command, or check it where it is not to be run; give what is not as shown."""
        if set_up := _SET_UP.match(command.text):
            complaints = list(self._faults_of(set_up))
        else:
            complaints = list(self._differences(command, exit_status))
        place = f"{self.document}:{command.line}: $ {command.text}"
        return [f"{place}\n{complaint}" for complaint in complaints]

    def _faults_of(self, command: re.Match[str]) -> Iterator[str]:
        words = (command["words"] or "").split()
        if command["make"]:
            makefile = (self.checkout / "Makefile").read_text(encoding="utf-8")
            targets = {word for word in words if not word.startswith("-") and "=" not in word}
            for target in sorted(targets - set(_TARGET.findall(makefile))):
                yield f"the Makefile has no target {target!r}"
        elif command["pip"]:
            named = [found["extras"] for word in words if (found := _EXTRAS.match(word))]
            for extra in sorted({*",".join(named).split(",")} - {""} - self._extras()):
                yield f"pyproject.toml has no extra {extra!r}"

    def _extras(self) -> set[str]:
        project = tomli.loads((self.checkout / "pyproject.toml").read_text(encoding="utf-8"))
        return set(project["project"]["optional-dependencies"])

    def _differences(self, command: Command, exit_status: int) -> Iterator[str]:
        done = subprocess.run(
            command.text,
            shell=True,
            cwd=self.directory,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=SECONDS_PER_COMMAND,
        )
        if done.returncode != exit_status:
            yield f"exit status {done.returncode}, not {exit_status}; it printed:\n{done.stdout}"
        checker = doctest.OutputChecker()
        if command.output and not checker.check_output(command.output, done.stdout, COMPARISON):
            yield f"shown:\n{command.output}printed:\n{done.stdout}"

    def _environment(self) -> dict[str, str]:
        """Give an environment in which this Python comes first and output is plain and stable."""
        return {
            **os.environ,
            "COLUMNS": "99",
            "NO_COLOR": "1",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONIOENCODING": "utf-8",
            "PYTHONPATH": os.pathsep.join([str(self.directory), str(self.checkout)]),
            "TERM": "dumb",
        }
