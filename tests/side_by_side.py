"""
Runs trial several times side by side, each time on some of the tests.

Usage: ``python -m tests.side_by_side DIRECTORY NAME MODULE... [-- NAME MODULE...]...``

Trial's own option ``-j`` runs tests in workers whose reactor belongs to trial's protocol, where
tests of what uses the reactor from other threads fail; here everybody has a whole trial. What each
prints is passed on line by line, with its name before it, and what has failed is told once more at
the end. Each works in a subdirectory of DIRECTORY of its name.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import TextIO

# Seconds for the last words of a trial that has ended: what it has left running may keep the pipe.
LAST_WORDS = 5.0
# Begins a failure in what trial prints.
RULER = "=" * 20


class Trial:
    """
    One of them, while it runs.

    :ivar name: what stands before its lines.
    """

    def __init__(self, name: str, modules: Sequence[str], directory: Path, out: TextIO) -> None:
        """Start it."""
        self.name = name
        self._said: list[str] = []
        self._out = out
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "twisted.trial"),
                *(f"--temp-directory={directory / name}", *modules),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(line)
            # In one piece, as others write, too.
            self._out.write(f"{self.name}: {line}")
            self._out.flush()

    def status(self) -> int:
        """Wait until it has ended, and give its exit status."""
        status = self._process.wait()
        self._listener.join(LAST_WORDS)
        return status

    def complaints(self) -> list[str]:
        """Give the lines from the first failure on; all of them, if it came to none."""
        rulers = (number for number, line in enumerate(self._said) if line.startswith(RULER))
        return self._said[next(rulers, 0) :]


def run(groups: Sequence[Sequence[str]], directory: Path, out: TextIO) -> int:
    """Run groups of modules, whose names come first; give an exit status."""
    directory.mkdir(parents=True, exist_ok=True)
    trials = [Trial(name, modules, directory, out) for name, *modules in groups]
    try:
        failed = [each for each in trials if each.status()]
    except KeyboardInterrupt:
        # They have been interrupted as well, and have servers to stop.
        for each in trials:
            each.status()
        raise
    for each in failed:
        out.write(f"\n==> what has failed among {each.name}\n")
        out.writelines(each.complaints())
    return 1 if failed else 0


def groups_of(words: Sequence[str]) -> Iterator[list[str]]:
    """Split words at each ``--``."""
    group: list[str] = []
    for word in words:
        if word == "--":
            yield group
            group = []
        else:
            group.append(word)
    yield group


if __name__ == "__main__":
    sys.exit(run([*groups_of(sys.argv[2:])], Path(sys.argv[1]), sys.stdout))
