"""
Models in the contexts of events: written as references, read again for the handler.

An event outlives the state of a row that it was made from. So what is stored of an instance is its
model, its primary key and its database. A handler gets an event whose context (`Resolved`) loads
the row when the handler asks for it: as it is then, or not at all (`ObjectGone`).
"""

from __future__ import annotations

from collections import UserDict
from typing import Any, Final

import attrs
from django.apps import apps
from django.db import models
from django.utils.functional import SimpleLazyObject, empty

from twisted_dispatcher.durable.codec import register_functions
from twisted_dispatcher.errors import NotEncodable, ObjectGone
from twisted_dispatcher.events import Event

_MODEL: Final = "django.Model"
_LAZY: Final = "django.Lazy"
_REFERENCE: Final = "django.Reference"
_CONTEXT: Final = "django.Context"


@attrs.frozen
class Reference:
    """
    A row of a model, wherever it may be by now.

    :ivar model: the model's label, as ``"challenges.Challenge"``.
    :ivar pk: the primary key.
    :ivar database: the alias of the database.
    """

    model: str
    pk: Any
    database: str

    def load(self) -> Any:
        """
        Read the row.

        :raises ObjectGone: when it is not there any more.
        """
        model = apps.get_model(self.model)
        try:
            return model._base_manager.using(self.database).get(pk=self.pk)
        except model.DoesNotExist as error:
            raise ObjectGone(self.model, self.pk, self.database) from error


class Resolved(UserDict[str, Any]):
    """
    A context in which every value that is a reference is the row itself, for who asks for it.

    A row is read once. Lists, tuples and dicts in the context are gone through as well.
    """

    def __getitem__(self, name: str) -> Any:
        value = self.data[name]
        found = resolved(value)
        if found is not value:
            self.data[name] = found
        return found


def resolved(value: Any) -> Any:
    """
    Give what handlers are to see of an event, or of a value in one.

    :raises ObjectGone: for a reference to a row that is not there any more; of a dict's values
        not before they are asked for.
    """
    if isinstance(value, Reference):
        return value.load()
    if isinstance(value, Event):
        return attrs.evolve(value, context=resolved(value.context))
    if isinstance(value, dict):
        return Resolved(value)
    if isinstance(value, list):
        return [resolved(each) for each in value]
    if isinstance(value, tuple):
        return tuple(resolved(each) for each in value)
    return value


def register() -> None:
    """Have the codec write models and lazy models, such as the user of a request."""
    register_functions(models.Model, _written, _read, _MODEL, subclasses=True, verify=False)
    register_functions(SimpleLazyObject, _written_lazy, _read, _LAZY, verify=False)
    register_functions(Reference, _parts, _read, _REFERENCE)
    # What a handler puts into the context of another event.
    context: Any = Resolved
    register_functions(context, lambda found: found.data, dict, _CONTEXT, verify=False)


def _parts(reference: Reference) -> list[Any]:
    return [reference.model, reference.pk, reference.database]


def _written(instance: models.Model) -> list[Any]:
    state = instance._state
    pk = instance.pk
    if pk is None or state.adding or state.db is None:
        raise NotEncodable(
            f"is of type {instance._meta.label} and not saved, so that nobody finds it again: "
            "save it before, or give the values that are needed"
        )
    return [instance._meta.label, pk, state.db]


def _written_lazy(lazy: Any) -> list[Any]:
    if lazy._wrapped is empty:
        lazy._setup()
    if not isinstance(lazy._wrapped, models.Model):
        raise NotEncodable(
            f"is a lazy {type(lazy._wrapped).__name__}, and only a lazy model can be read back: "
            "give what it stands for"
        )
    return _written(lazy._wrapped)


def _read(written: list[Any]) -> Reference:
    return Reference(*written)
