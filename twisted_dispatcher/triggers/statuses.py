"""
The statuses of a task's instance, and the moves between them, as a table.

`rules` moves instances by this table alone, and the diagram of the documents is drawn from it.
"""

from __future__ import annotations

from typing import Final

UNSTARTED: Final = "unstarted"
SCHEDULED: Final = "scheduled"
RUNNING: Final = "running"
FINISHED: Final = "finished"
FAILED: Final = "failed"
REPLAYED: Final = "replayed"
SKIPPED: Final = "skipped"
ABANDONED: Final = "abandoned"

STATUSES: Final = (
    UNSTARTED,
    SCHEDULED,
    RUNNING,
    FINISHED,
    FAILED,
    REPLAYED,
    SKIPPED,
    ABANDONED,
)
# Nothing is left to be done about instances of these. A failed one wants a decision.
RESOLVED: Final = frozenset({FINISHED, ABANDONED, SKIPPED, REPLAYED})
# Of these something goes on in the background.
ACTIVE: Final = frozenset({SCHEDULED, RUNNING})
# What an instance of these has logged needs nobody's attention.
QUIET: Final = frozenset({ABANDONED, REPLAYED, SKIPPED})

# From a status, by what happens, to a status.
MOVES: Final = {
    (UNSTARTED, "all triggers of 'after' have fired"): SCHEDULED,
    (UNSTARTED, "all triggers of 'unless' have fired"): ABANDONED,
    (UNSTARTED, "its deadline passes"): ABANDONED,
    (SCHEDULED, "a worker starts it"): RUNNING,
    (RUNNING, "its worker died or stopped, another starts it"): RUNNING,
    (RUNNING, "its worker gives it back"): SCHEDULED,
    (RUNNING, "its task returns"): FINISHED,
    (RUNNING, "its task raises"): FAILED,
    (RUNNING, "its workers died too often"): FAILED,
    (RUNNING, "its task skips itself"): SKIPPED,
    (RUNNING, "its task retries itself"): REPLAYED,
    (FAILED, "it is replayed"): REPLAYED,
    (FAILED, "it is skipped"): SKIPPED,
}
