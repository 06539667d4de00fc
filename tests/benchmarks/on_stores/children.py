"""Programs of their own that are measured from outside, or that need another event loop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 1800.0  # seconds: no program of ours takes so long, whatever the machine


class ChildFailed(Exception):
    """A program ended with an error; the message is the end of what it said."""


async def answer_of(module: str, *arguments: object, before: Sequence[str] = ()) -> Any:
    """Runs a module of the benchmarks as a program, and gives what it prints, as JSON.

    C{before} is what the command line begins with, if another program is to watch it.
    """
    command = [*before, sys.executable, "-m", f"tests.benchmarks.{module}"]
    return await deferToThread(_run, [*command, *map(str, arguments)])


def _run(command: Sequence[str]) -> Any:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{':'.join(sys.path[1:])}"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT
    )
    if done.returncode:
        raise ChildFailed(done.stderr.strip()[-2000:])
    return json.loads(done.stdout.splitlines()[-1])
