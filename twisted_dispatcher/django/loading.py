"""
Reading the row of an instance again, at a fraction of what ``get(pk=...)`` takes.

Django composes a statement anew for each query, which takes several times as long as SQLite takes
to answer this one; and most handlers begin with it. Here it is composed once for a connection and
a model. It is Django's own statement, and goes by Django's own cursor. Where there is more to a
query than a model, a table and a key, such as a base manager of one's own, Django is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Manager

# Gives the instance with a primary key.
_Reader = Callable[[Any], Any]

_ATTRIBUTE: Final = "_twisted_dispatcher_readers"


def load(model: Any, pk: Any, using: str) -> Any:
    """
    Read the row of a model that has a primary key.

    :param pk: as an instance has it.
    :param using: the alias of the database.
    :raises model.DoesNotExist, model.MultipleObjectsReturned: when there is none, or, in a table
        that Django does not manage, more than one.
    """
    readers = vars(connections[using]).setdefault(_ATTRIBUTE, {})
    if model not in readers:
        readers[model] = _reader_of(model, pk, using)
    return readers[model](pk)


def _does_not_exist(model: Any) -> Any:
    return model.DoesNotExist(f"no {model._meta.label} has this primary key")


def _reader_of(model: Any, pk: Any, using: str) -> _Reader:
    """Give what reads the rows of a model; it is for this thread, as connections are."""
    rows = model._base_manager.using(using)
    lookup = model._meta.pk.get_lookup("exact")
    if type(model._base_manager) is Manager and lookup.__module__.startswith("django.db."):
        compiler = rows.filter(pk=pk).order_by().query.get_compiler(using)
        try:
            sql, parameters = compiler.as_sql()
        except EmptyResultSet:
            # Django knows that the number is too large for the column.
            raise _does_not_exist(model) from None
        if list(parameters) == [_prepared(model, pk, compiler.connection)]:
            return _Composed(model, compiler, sql)
    return lambda pk: rows.get(pk=pk)


def _prepared(model: Any, pk: Any, connection: Any) -> Any:
    """Give a primary key as its database takes it."""
    field = model._meta.pk
    return field.get_db_prep_value(field.get_prep_value(pk), connection, prepared=True)


class _Composed:
    """A statement that selects the columns of a model, with the primary key for a parameter."""

    def __init__(self, model: Any, compiler: Any, sql: str) -> None:
        columns = [each[0] for each in compiler.select]
        self._model = model
        self._compiler = compiler
        self._sql = sql
        self._names = [each.target.attname for each in columns]
        self._converters = compiler.get_converters(columns)

    def __call__(self, pk: Any) -> Any:
        connection = self._compiler.connection
        with connection.cursor() as cursor:
            try:
                cursor.execute(self._sql, (_prepared(self._model, pk, connection),))
            except OverflowError:
                # SQLite knows it.
                raise _does_not_exist(self._model) from None
            found, another = cursor.fetchone(), cursor.fetchone()
        if found is None:
            raise _does_not_exist(self._model)
        if another is not None:
            label = self._model._meta.label
            raise self._model.MultipleObjectsReturned(f"several {label} have this primary key")
        if self._converters:
            (found,) = self._compiler.apply_converters([found], self._converters)
        return self._model.from_db(connection.alias, [*self._names], found)
