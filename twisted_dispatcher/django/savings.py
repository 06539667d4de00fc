"""
Sources of the events of models: run whenever an instance is saved.

A row and its events are saved in one transaction, also in autocommit. A source never breaks
`save()`: what it raises is logged, what it has asked of the database is undone, and what the other
sources say is recorded. That the events cannot be *stored* does break it, as does a row that
cannot be: otherwise the row would be there without them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any

from django.db import connections, router
from django.db.models import Model
from django.db.models.signals import post_save

from twisted_dispatcher.django.conf import conf
from twisted_dispatcher.django.containing import TransactionSpoilt, contained
from twisted_dispatcher.django.outbox import Draft, drafted
from twisted_dispatcher.django.pending import record_at_commit
from twisted_dispatcher.django.presence import require_installed
from twisted_dispatcher.django.problems import is_of_database, key_of, tell
from twisted_dispatcher.django.registry import MODEL_SOURCES, Source
from twisted_dispatcher.django.writing import writing
from twisted_dispatcher.errors import InvalidSource, SourceBroke
from twisted_dispatcher.registration.handlers import callable_name
from twisted_dispatcher.sources.reading import check_items

Report = Callable[[str, "str | None", BaseException], object]

_WRAPPED = "_twisted_dispatcher_wrapped"


def register_model_event_source(*, sender: type[Model], source: Source) -> None:
    """
    Have a source run with every instance of a model that is saved, and by sweeps with all.

    :param sender: the model itself; what derives from it, proxies too, has sources of its own.
    :param source: called with the instance, gives declarations of events: a generator function, or
        one that gives a list or another iterable, or None.
    :raises InvalidSource: when one of them is not what it should be.
    :raises NotInstalled: when the project has not installed the application.
    """
    require_installed()
    if not (isinstance(sender, type) and issubclass(sender, Model)):
        raise InvalidSource(
            f"the sender of a model's events is a model, not {sender!r}: give the class, for "
            "example self.get_model('Loan') in an AppConfig"
        )
    if sender._meta.abstract:
        raise InvalidSource(f"{sender._meta.label} is abstract, and nothing of it is saved")
    if not callable(source):
        raise InvalidSource(f"a source is a function of an instance, not {source!r}")
    if inspect.iscoroutinefunction(source) or inspect.isasyncgenfunction(source):
        raise InvalidSource(
            f"{callable_name(source)} is asynchronous, and a source runs within save(), which "
            "waits for nothing but the database: make it a plain function"
        )
    MODEL_SOURCES.setdefault(sender, []).append(source)
    _save_in_transactions(sender)
    uid = f"twisted_dispatcher {sender._meta.label}"
    post_save.connect(_saved, sender=sender, weak=False, dispatch_uid=uid)


def _save_in_transactions(model: Any) -> None:
    """See that a row of the model, and what is written as it is saved, are one transaction."""
    save_base = model.save_base
    if hasattr(save_base, _WRAPPED):
        return

    @wraps(save_base)
    def save_with_events(
        self: Any,
        raw: bool = False,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Any = None,
    ) -> None:
        using = using or router.db_for_write(type(self), instance=self)
        plainly = raw or type(self) not in MODEL_SOURCES or using != conf().database
        with nullcontext() if plainly else writing(using):
            save_base(self, raw, force_insert, force_update, using, update_fields)

    setattr(save_with_events, _WRAPPED, True)
    model.save_base = save_with_events


def _saved(*, sender: type[Model], instance: Any, raw: bool, using: str, **rest: Any) -> None:
    """Record what the sources of a model say of an instance that was saved."""
    if raw:
        return
    sources = MODEL_SOURCES.get(sender, ())
    connection = connections[using]
    drafts = [draft for source in sources for draft in drafts_of(source, instance, connection)]
    record_at_commit(drafts, connection)


def drafts_of(
    source: Source, instance: Any, connection: Any, report: Report = tell
) -> list[Draft]:
    """
    Run a source, and write down what it says of an instance.

    What cannot be written down, and what the source raises, is reported; the rest is given.

    :param connection: Django's, to the database of which the source may ask something.
    :param report: called with the name of the source, the key, and what is wrong.
    :raises TransactionSpoilt: when what it has asked cannot be undone.
    """
    name = callable_name(source)
    drafts: list[Draft] = []
    try:
        with contained(connection, name):
            found = source(instance)
            check_items(found, name)
            for declaration in found or ():
                try:
                    drafts.append(drafted(declaration, name))
                except Exception as error:
                    if is_of_database(error):
                        raise
                    report(name, key_of(declaration), error)
    except TransactionSpoilt:
        raise
    except Exception as error:
        broke = SourceBroke(name, error)
        broke.__cause__ = error
        report(name, None, broke)
    return drafts
