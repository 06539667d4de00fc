"""The names of the tables, and how lists of numbers and rows are handed over."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from twisted_dispatcher.records import WORKER_DIED

META: Final = "twisted_dispatcher_meta"
WORKER: Final = "twisted_dispatcher_worker"
EVENT: Final = "twisted_dispatcher_event"
OPEN: Final = "twisted_dispatcher_open"
DELIVERY: Final = "twisted_dispatcher_delivery"
COMMIT: Final = "twisted_dispatcher_commit"

TABLES: Final = (META, WORKER, EVENT, OPEN, DELIVERY, COMMIT)

RESERVE: Final = "twisted_dispatcher_reserve"
EVENT_ID: Final = "twisted_dispatcher_event_id"
DELIVERY_ID: Final = "twisted_dispatcher_delivery_id"

# The error of a delivery whose worker has died.
DIED: Final = f"'{WORKER_DIED[0]}' || attempts || '{WORKER_DIED[1]}'"
# Whether it has that error.
HAS_DIED: Final = f"coalesce(starts_with(error, '{WORKER_DIED[0]}'), FALSE)"


def listed(numbers: Iterable[int]) -> str:
    """
    Write numbers as a parameter that is cast to an array.

    The driver would look at each of them, and take arrays of small numbers for another type, so
    that the server had to prepare the statement again.
    """
    return f"{{{','.join(map(str, numbers))}}}"


# Rows as a parameter of json_to_recordset, which is about twice as fast as arrays are.
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def rows(values: Sequence[dict[str, Any]]) -> str:
    """Write rows as a parameter that is cast to JSON."""
    return _encode(values)
