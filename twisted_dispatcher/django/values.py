"""
Kinds of values that Django has of its own, in the contexts of events.

Fields hold some of them until they are read from the database: the status of an order that was
just made is a member of its choices, and a plain text in a sweep. So both are written as the same.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Choices
from django.utils.functional import Promise
from django.utils.safestring import SafeString

from twisted_dispatcher.durable.codec import register_functions
from twisted_dispatcher.errors import NotEncodable

_CHOICE: Final = "django.Choice"
_SAFE: Final = "django.Safe"
_TRANSLATED: Final = "django.Translated"


def register() -> None:
    """Have the codec write choices, safe texts, and texts that are translated when looked at."""
    # A class of choices that a project has registered itself is written as that says.
    register_functions(Choices, _value_of, _same, _CHOICE, subclasses=True, verify=False)
    register_functions(SafeString, str.__str__, SafeString, _SAFE, verify=False)
    promise: Any = Promise
    register_functions(promise, _translated, _same, _TRANSLATED, subclasses=True, verify=False)


def _value_of(choice: Any) -> Any:
    return choice.value


def _same(value: Any) -> Any:
    return value


def _translated(lazy: Any) -> str:
    """Give the text in the language that is active now; a handler knows of no other."""
    # The result classes are what is left of how a lazy object is pickled.
    _, (_, _, _, *results) = lazy.__reduce__()
    if str not in results:
        raise NotEncodable("is a lazy object, and only a lazy text is read: give what it is")
    return str.__str__(str(lazy))
