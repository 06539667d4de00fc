"""
Sweeping: running the sources of models on all their instances, a batch at a time.

Batches go up by primary key, each read by its own query behind the last one: so neither a table
nor a cursor is held, whatever is written meanwhile. The events of a batch, and where the sweep
stands, are written in one transaction. A sweep that was stopped or killed goes on behind the last
batch that was written.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
from django.db import connections, transaction

from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.models import Sweep
from twisted_dispatcher.django.outbox import Recorded, record_drafts
from twisted_dispatcher.django.problems import tell
from twisted_dispatcher.django.registry import Source
from twisted_dispatcher.django.savings import drafts_of
from twisted_dispatcher.durable.codec import default_codec

BATCH: Final = 500


@attrs.define
class Swept:
    """
    What a sweep of a model has come to so far.

    :ivar seen: how many instances were looked at, by a sweep that was resumed also before.
    :ivar recorded: how many events were new.
    :ivar known: how many had been recorded before.
    :ivar problems: how many could not be recorded, and how often a source broke. They are logged.
    """

    seen: int = 0
    recorded: int = 0
    known: int = 0
    problems: int = 0

    def add(self, recorded: Iterable[Recorded]) -> None:
        """Count what became of some events."""
        for each in recorded:
            if each.collision is not None:
                self.tell(each.draft.source, each.draft.new.key, each.collision)
            elif each.is_new:
                self.recorded += 1
            else:
                self.known += 1

    def tell(self, source: str, key: str | None, error: BaseException) -> None:
        """Log a problem, and count it."""
        self.problems += 1
        tell(source, key, error)


class Place:
    """Where the sweep of a queryset stands; it is kept under a name."""

    def __init__(self, queryset: Any, conditions: Mapping[str, str]) -> None:
        """:param conditions: what the queryset was filtered by, as text."""
        model = queryset.model
        self._pk = model._meta.pk
        about = f" where {json.dumps(conditions, sort_keys=True)}" if conditions else ""
        self.name = f"{model._meta.label} in {queryset.db}{about}"

    def load(self) -> tuple[int, Any] | None:
        """Give how many instances were seen, and the primary key of the last one."""
        row = Sweep.objects.filter(name=self.name, ended=None).first()
        if row is None or row.position is None:
            return None
        return int(row.seen), self._pk.to_python(default_codec.decode(row.position))

    def begin_anew(self) -> None:
        """Forget where an older sweep was stopped, so that this one is not resumed there."""
        now = time.time()
        stopped = Sweep.objects.filter(name=self.name, ended=None)
        stopped.update(seen=0, position=None, began=now, changed=now)

    def end(self) -> None:
        """Note that a sweep which was resumed has found nothing more."""
        Sweep.objects.filter(name=self.name, ended=None).update(ended=time.time())

    def keep(self, seen: int, instance: Any, *, began: float, ended: bool) -> None:
        """Keep how far it is, in the transaction that is open."""
        now = time.time()
        values = {
            "seen": seen,
            "position": default_codec.encode(self._pk.value_to_string(instance)),
            "began": began,
            "changed": now,
            "ended": now if ended else None,
        }
        # To write first waits for others that write; to read first would fail beside them.
        if not Sweep.objects.filter(name=self.name).update(**values):
            Sweep.objects.create(name=self.name, **values)


def sweep(
    queryset: Any,
    sources: Sequence[Source],
    *,
    conditions: Mapping[str, str] | None = None,
    resume: bool = False,
    batch: int = BATCH,
) -> Iterator[Swept]:
    """
    Run sources on the instances of a queryset, and record what is new.

    It goes on as it is iterated over, and may be left after any batch.

    :param conditions: what the queryset was filtered by, as text: it belongs to the name under
        which it is kept how far the sweep is.
    :param resume: go on where the last sweep of this name was stopped, if it was.
    :return: the same object after each batch, with what has happened by then.
    """
    place = Place(queryset, conditions or {})
    began = time.time()
    swept = Swept()
    after = None
    if resume and (stood := place.load()) is not None:
        swept.seen, after = stood
    else:
        place.begin_anew()
    instances = _batch_behind(queryset, after, batch)
    if after is not None and not instances:
        # What it was to go on with is gone: the next one begins anew.
        place.end()
        yield swept
    while instances:
        connection = connections[queryset.db]
        # To run a source may take long; the transaction begins after that.
        drafts = [
            draft
            for instance in instances
            for source in sources
            for draft in drafts_of(source, instance, connection, swept.tell)
        ]
        following = _batch_behind(queryset, instances[-1].pk, batch)
        seen = swept.seen + len(instances)
        with transaction.atomic(using=conf().database):
            place.keep(seen, instances[-1], began=began, ended=not following)
            swept.add(record_drafts(drafts))
        swept.seen = seen
        yield swept
        instances = following


def _batch_behind(queryset: Any, pk: Any, batch: int) -> list[Any]:
    found = queryset.order_by("pk")
    if pk is not None:
        found = found.filter(pk__gt=pk)
    return list(found[:batch])
