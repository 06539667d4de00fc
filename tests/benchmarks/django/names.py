"""What the programs call those that they measure, for whoever reads their figures."""

from __future__ import annotations

PLAIN = "no source"
QUIET = "a source without events"
SOURCE = "a source"
SPARK = "django-spark's way"

NEW = "new"
KNOWN = "known"

AUTOCOMMIT = "autocommit"
ATOMIC = "atomic"
HUNDRED = "hundred"

DAEMON, HERE = "daemon", "here"
# Who handles events, and by which name it is known.
HANDLERS = {
    DAEMON: "web process and daemon",
    HERE: "one process",
    "spark": SPARK,
}
