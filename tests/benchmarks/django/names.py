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

# Commits that wait for the disk, and such as do not.
SYNCED = "a save() that waits for the disk"
LAZY = "one that does not"

# What pages of the admin show, by their addresses; in these stand an event's number and its key.
PAGES = {
    "events": "event/",
    "settled events": "event/?standing=settled",
    "an event found by its key": "event/?q={key}",
    "an event": "event/{pk}/change/",
    "deliveries": "delivery/",
    "deliveries that are done": "delivery/?status=done",
    "dead letters": "deadletter/",
}

DAEMON, HERE = "daemon", "here"
# Where nobody handles events either, but the disk is slower.
SLOW = "slower disk"
# Who handles events, and by which name it is known.
HANDLERS = {
    DAEMON: "web process and daemon",
    HERE: "one process",
    "spark": SPARK,
}
