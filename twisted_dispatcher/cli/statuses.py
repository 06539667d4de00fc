"""What the command exits with."""

from __future__ import annotations

from typing import Final

WELL: Final = 0
FAILED: Final = 1
INTERRUPTED: Final = 130  # as a shell has it for Ctrl-C
