"""The programs of `programs`, as processes that a test talks to and waits for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import attrs

import tests

# Seconds after which a program is taken to hang, and is killed.
LONGEST = 100.0


@attrs.frozen
class Ended:
    """How a program has ended, and what it has written."""

    status: int
    output: str
    errors: str

    @property
    def lines(self) -> list[str]:
        """What it has written on standard output."""
        return self.output.splitlines()


class Child:
    """A program that runs."""

    def __init__(self, name: str, *arguments: str, options: tuple[str, ...] = ()) -> None:
        """
        Start it.

        :param name: the name of a function in `programs`.
        :param options: for Python.
        """
        root = str(Path(tests.__file__).parent.parent)
        command = [sys.executable, *options, "-m", "tests.blocking.programs", name, *arguments]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        self._watchdog = threading.Timer(LONGEST, self._process.kill)
        self._watchdog.start()

    def line(self) -> str:
        """Wait for the next line that it writes; it is empty when the program has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it, so that it can do nothing about it."""
        self.send(signal.SIGKILL)

    def end(self) -> Ended:
        """Wait until it has ended."""
        output, errors = self._process.communicate()
        self._watchdog.cancel()
        return Ended(self._process.returncode, output, errors)


def ended(name: str, *arguments: str, options: tuple[str, ...] = ()) -> Ended:
    """Run a program to its end."""
    return Child(name, *arguments, options=options).end()
