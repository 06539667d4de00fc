"""Django's own kinds of values in contexts."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import models
from django.test import SimpleTestCase
from django.utils.functional import lazy
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy, override

from twisted_dispatcher.durable.codec import default_codec
from twisted_dispatcher.errors import NotEncodable


class Status(models.TextChoices):
    """Choices that are texts."""

    OPEN = "open", gettext_lazy("Open")


class Size(models.IntegerChoices):
    """Choices that are numbers."""

    SMALL = 1, "Small"


class Landing(date, models.Choices):
    """Choices that are something else."""

    MOON = 1969, 7, 20


def read_again(value: Any) -> Any:
    """Write a value, and give what is read."""
    return default_codec.decode(default_codec.encode({"value": [value]}))["value"][0]


class ValuesTests(SimpleTestCase):
    """What handlers get."""

    def test_choices(self) -> None:
        """A choice is its value, as in a field that was read from the database."""
        for choice, value in ((Status.OPEN, "open"), (Size.SMALL, 1)):
            found = read_again(choice)
            self.assertEqual((type(value), value), (type(found), found))
        self.assertEqual(date(1969, 7, 20), read_again(Landing.MOON))

    def test_safe(self) -> None:
        """A safe text is one again, and is not escaped twice."""
        found = read_again(mark_safe("<b>"))

        self.assertIsInstance(found, SafeString)
        self.assertEqual("<b>", found)

    def test_translated(self) -> None:
        """A text for translation is what it is where the event is recorded."""
        with override("de"):
            written = default_codec.encode([gettext_lazy("Monday")])
            self.assertEqual("Montag!", read_again(format_lazy("{}!", gettext_lazy("Monday"))))
        self.assertEqual("Montag", default_codec.decode(written)[0])
        self.assertEqual("<i>", read_again(lazy(lambda: mark_safe("<i>"), str)()))

    def test_no_text(self) -> None:
        """What is lazy and no text is refused, by the path to it."""
        with self.assertRaisesMessage(NotEncodable, 'event["value"][0] is a lazy object'):
            read_again(lazy(lambda: {"a": 1}, dict)())
