"""The memory of this process, as the system counts it."""

from __future__ import annotations

import resource
from pathlib import Path


def resident_bytes() -> int:
    """Gives the memory of this process: what it has now, or at most, where that is not known."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize()
    return _most_bytes()


def peak_bytes() -> int:
    """Gives the most memory that this process has had since it began.

    What C{getrusage} knows may be that of the program which has started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (each for each in status.read_text().splitlines() if each.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return _most_bytes()


def _most_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
