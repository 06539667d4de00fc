"""The states that every chain type has."""

from __future__ import annotations

from typing import Final

NEW: Final = "new"
DONE: Final = "done"
