"""
The store's tables as models, to look at them, and for tests to empty them.

The tables are those that `open_store` makes; the migrations make the same ones, by the same SQL.
A model has those columns that the tables have on SQLite as well as on PostgreSQL. Whoever writes
through the models passes the store by: nothing of what is promised holds then.

Some tables have several columns for a primary key, and a model has but one: it names the column
that tells rows apart within their chain or session.
"""

from __future__ import annotations

from typing import Any

from django.db import connections, models
from django.db.models.signals import pre_save

from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.generators import Condition, Generator
from twisted_dispatcher.errors import RowsNotLoadable

__all__ = [
    "Chain",
    "ChainHistory",
    "ChainPair",
    "ChainSignal",
    "Condition",
    "DeadLetter",
    "Delivery",
    "Event",
    "Generator",
    "Instance",
    "LaneEvent",
    "OpenEvent",
    "Session",
    "Worker",
]

# Rows are read and written by the store; nobody is to add, change or delete them by hand.
_PERMISSIONS = ("view",)


class StoredQuerySet(models.QuerySet):
    """Rows of a table of the store; where the database has no such table, there are none."""

    def iterator(self, *arguments: Any, **options: Any) -> Any:
        vendor = self.model._meta.required_db_vendor
        if vendor is not None and connections[self.db].vendor != vendor:
            return iter(())
        return super().iterator(*arguments, **options)


class StoredManager(models.Manager.from_queryset(StoredQuerySet)):  # type: ignore[misc]
    """Looks into the database that the setting names, whatever routers say."""

    use_in_migrations = False

    def get_queryset(self) -> Any:
        queryset = super().get_queryset()
        return queryset if self._db is not None else queryset.using(conf().database)


def _belongs_to(model: str, column: str, related_name: str, **options: Any) -> Any:
    """Give a key without a constraint: retention deletes as it likes."""
    return models.ForeignKey(
        model,
        models.DO_NOTHING,
        db_column=column,
        db_constraint=False,
        db_index=False,
        related_name=related_name,
        **options,
    )


class Event(models.Model):
    """An event that was accepted; its body is None after the time for which payloads are kept."""

    id = models.BigAutoField(primary_key=True)
    key = models.TextField(unique=True)
    body = models.TextField(null=True)
    details = models.TextField()
    lane = models.TextField(null=True)
    accepted = models.FloatField()
    due = models.FloatField()
    first_delivery = models.BigIntegerField(null=True)
    last_delivery = models.BigIntegerField(null=True)

    objects = StoredManager()

    class Meta:
        db_table = "twisted_dispatcher_event"
        default_permissions = _PERMISSIONS

    def __str__(self) -> str:
        return str(self.key)


class Delivery(models.Model):
    """One event for one handler."""

    id = models.BigAutoField(primary_key=True)
    event = _belongs_to("Event", "event_id", "deliveries")
    handler = models.TextField()
    phase = models.TextField()
    rank = models.IntegerField()
    status = models.TextField()
    attempts = models.IntegerField()
    due = models.FloatField(null=True)
    error = models.TextField(null=True)
    stops = models.BooleanField(null=True)
    excused = models.IntegerField(default=0)

    objects = StoredManager()

    class Meta:
        db_table = "twisted_dispatcher_delivery"
        default_permissions = _PERMISSIONS
        permissions = [
            ("replay_delivery", "Can have a delivery run again"),
            ("skip_delivery", "Can give up a delivery"),
        ]
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"delivery {self.pk} to {self.handler}"


class DeadLetter(Delivery):
    """A delivery that is dead, as the admin lists it."""

    class Meta:
        proxy = True
        default_permissions = ()


class Worker(models.Model):
    """Who runs deliveries; on SQLite its id is a number."""

    id = models.TextField(primary_key=True)
    alive_until = models.FloatField()

    objects = StoredManager()

    class Meta:
        db_table = "twisted_dispatcher_worker"
        default_permissions = _PERMISSIONS


class OpenEvent(models.Model):
    """An event that is not settled, on PostgreSQL."""

    id = models.BigIntegerField(primary_key=True)
    lane = models.TextField(null=True)
    due = models.FloatField()
    first_delivery = models.BigIntegerField(null=True)
    last_delivery = models.BigIntegerField(null=True)

    objects = StoredManager()

    class Meta:
        db_table = "twisted_dispatcher_open"
        default_permissions = ()
        required_db_vendor = "postgresql"


class LaneEvent(models.Model):
    """An event that stands in a lane and is not settled, on SQLite."""

    event_id = models.BigIntegerField(primary_key=True)
    lane = models.TextField()

    objects = StoredManager()

    class Meta:
        db_table = "twisted_dispatcher_lane"
        default_permissions = ()
        required_db_vendor = "sqlite"


class Chain(models.Model):
    """A chain; `due` is when the schedule looks at it."""

    number = models.BigAutoField(primary_key=True)
    id = models.TextField(unique=True)
    chain_type = models.TextField()
    set_hash = models.BinaryField()
    pairs = models.TextField()
    definition = models.TextField()
    state = models.TextField()
    version = models.BigIntegerField()
    next_update = models.FloatField(null=True)
    due = models.FloatField(null=True)
    disabled = models.BooleanField()
    ended = models.BooleanField()
    locked_until = models.FloatField()
    fence = models.BigIntegerField()
    poked = models.BooleanField()
    failures = models.IntegerField()
    parked = models.BooleanField()
    error = models.TextField(null=True)
    refusals = models.TextField(null=True)
    tried = models.FloatField(null=True)
    created = models.FloatField()
    entered = models.FloatField()

    objects = StoredManager()

    class Meta:
        db_table = "twisted_dispatcher_chain"
        default_permissions = _PERMISSIONS

    def __str__(self) -> str:
        return str(self.id)


class ChainPair(models.Model):
    """That a chain has a resource."""

    pair = models.BinaryField(primary_key=True)
    chain = _belongs_to("Chain", "chain", "resource_pairs")

    objects = StoredManager()

    class Meta:
        db_table = "twisted_dispatcher_chain_pair"
        default_permissions = ()


class ChainHistory(models.Model):
    """A transition that a chain has made."""

    chain = _belongs_to("Chain", "chain", "history")
    version = models.BigIntegerField(primary_key=True)
    previous = models.TextField()
    state = models.TextField()
    transition_name = models.TextField()
    requested_by = models.TextField(null=True)
    at = models.FloatField()

    objects = StoredManager()

    class Meta:
        db_table = "twisted_dispatcher_chain_history"
        default_permissions = _PERMISSIONS
        verbose_name_plural = "chain history"


class ChainSignal(models.Model):
    """A signal that has arrived at a chain and was not used up."""

    chain = _belongs_to("Chain", "chain", "signals")
    name = models.TextField(primary_key=True)
    value = models.TextField()
    at = models.FloatField()

    objects = StoredManager()

    class Meta:
        db_table = "twisted_dispatcher_chain_signal"
        default_permissions = ()


class Session(models.Model):
    """A session of triggers."""

    id = models.BigAutoField(primary_key=True)
    uid = models.TextField(unique=True)
    config = models.TextField()
    state = models.TextField()
    version = models.BigIntegerField()
    changed = models.FloatField()

    objects = StoredManager()

    class Meta:
        db_table = "twisted_dispatcher_session"
        default_permissions = _PERMISSIONS

    def __str__(self) -> str:
        return str(self.uid)


class Instance(models.Model):
    """An instance of a task of a session."""

    session = _belongs_to("Session", "session_id", "instances")
    name = models.TextField(primary_key=True)
    task = models.TextField()
    number = models.IntegerField()
    status = models.TextField()
    live = models.IntegerField(null=True)
    body = models.TextField()
    mark = models.TextField(default="")

    objects = StoredManager()

    class Meta:
        db_table = "twisted_dispatcher_instance"
        default_permissions = _PERMISSIONS

    def __str__(self) -> str:
        return str(self.name)


class Sweep(models.Model):
    """Where a sweep stands: how many objects it has seen, and which was the last one."""

    name = models.TextField(primary_key=True)
    seen = models.BigIntegerField(db_column="objects")
    position = models.TextField(null=True)
    began = models.FloatField()
    changed = models.FloatField()
    ended = models.FloatField(null=True)

    objects = StoredManager()

    class Meta:
        db_table = "twisted_dispatcher_sweep"
        default_permissions = _PERMISSIONS

    def __str__(self) -> str:
        return str(self.name)


def _refuse_fixtures(*, sender: Any, raw: bool, **rest: object) -> None:
    if raw:
        raise RowsNotLoadable(sender._meta.label)


# The first have several columns for a primary key: a fixture saves each by the one that its model
# has, and would change those of other chains and sessions. The others have columns on one kind of
# database that they do not have on the other.
for _model in (ChainPair, ChainHistory, ChainSignal, Instance, Delivery, Session, Worker):
    pre_save.connect(_refuse_fixtures, sender=_model, dispatch_uid="twisted_dispatcher.models")
