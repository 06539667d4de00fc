"""
Models in the contexts of events: written as references, read again for the handler.

An event outlives the state of a row that it was made from. So what is stored of an instance is its
model, its primary key and its database. A handler gets an event whose context (`Resolved`) loads
the row when the handler asks for it: as it is then, or not at all (`ObjectGone`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Final

import attrs
from django.apps import apps
from django.db import models
from django.utils.functional import SimpleLazyObject, empty

from twisted_dispatcher.django.loading import load
from twisted_dispatcher.durable.codec import register_functions
from twisted_dispatcher.errors import NotEncodable, ObjectGone
from twisted_dispatcher.events import Event

_MODEL: Final = "django.Model"
_LAZY: Final = "django.Lazy"
_REFERENCE: Final = "django.Reference"
_CONTEXT: Final = "django.Context"
# What may have references in it, beside dicts.
_SEQUENCES: Final = frozenset({list, tuple, set, frozenset})


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
            return load(model, self.pk, self.database)
        except model.DoesNotExist as error:
            raise ObjectGone(self.model, self.pk, self.database) from error


class Resolved(dict[Any, Any]):
    """
    A dict in a context whose values that are references are the rows themselves, for who asks.

    A row is read once, when it is asked for. Whoever goes through all values, or copies them, asks
    for all.
    """

    def __getitem__(self, name: Any) -> Any:
        value = super().__getitem__(name)
        found = resolved(value)
        if found is not value:
            self[name] = found
        return found

    def __iter__(self) -> Iterator[Any]:
        """Give the names; for want of this, ``dict()`` and ``**`` would pass `__getitem__` by."""
        return super().__iter__()

    # These ask for the values, where dict's own would not.
    __eq__ = Mapping.__eq__
    __ne__ = Mapping.__ne__
    get: Any = Mapping.get
    items: Any = Mapping.items
    values: Any = Mapping.values
    setdefault = MutableMapping.setdefault

    def pop(self, name: Any, *default: Any) -> Any:
        if name not in self:
            return super().pop(name, *default)
        found = self[name]
        del self[name]
        return found

    def popitem(self) -> Any:
        name = next(reversed(self))
        return name, self.pop(name)

    def copy(self) -> dict[Any, Any]:
        return dict(self)

    def __or__(self, other: Any) -> Any:
        return dict(self) | other

    def __ror__(self, other: Any) -> Any:
        return other | dict(self)

    def unread(self) -> dict[Any, Any]:
        """Give it as it was stored, but for the rows that were read meanwhile."""
        return dict(dict.items(self))


def resolved(value: Any) -> Any:
    """
    Give what handlers are to see of an event, or of a value in one.

    What has no reference in it is given as it is.

    :raises ObjectGone: for a reference to a row that is not there any more; of a dict's values
        not before they are asked for.
    """
    if isinstance(value, Reference):
        return value.load()
    if isinstance(value, Event):
        context = resolved(value.context)
        return value if context is value.context else attrs.evolve(value, context=context)
    if not _refers(value):
        return value
    if isinstance(value, dict):
        return Resolved((resolved(name), each) for name, each in value.items())
    return type(value)(resolved(each) for each in value)


def _refers(value: Any) -> bool:
    """Tell whether there is a reference somewhere in a value."""
    kind = type(value)
    if kind is dict:
        return any(map(_refers, value)) or any(map(_refers, value.values()))
    if kind in _SEQUENCES:
        return any(map(_refers, value))
    return kind is Reference or (kind is Event and _refers(value.context))


def register() -> None:
    """Have the codec write models and lazy models, such as the user of a request."""
    register_functions(models.Model, _written, _read, _MODEL, subclasses=True, verify=False)
    register_functions(SimpleLazyObject, _written_lazy, _read, _LAZY, verify=False)
    register_functions(Reference, _parts, _read, _REFERENCE)
    # What a handler puts into the context of another event.
    context: Any = Resolved
    register_functions(context, Resolved.unread, dict, _CONTEXT, verify=False)


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
