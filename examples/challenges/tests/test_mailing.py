"""Mails from templates."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from django.template import TemplateDoesNotExist
from django.test import SimpleTestCase, override_settings

from examples.challenges import settings
from examples.challenges.mailing import message_id, render_to_mail


class RenderTests(SimpleTestCase):
    """What becomes of a template."""

    def setUp(self) -> None:
        """Have a directory of templates."""
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        changed = override_settings(
            TEMPLATES=[{**settings.TEMPLATES[0], "DIRS": [self.directory]}]
        )
        changed.enable()
        self.addCleanup(changed.disable)

    def write(self, name: str, text: str) -> None:
        """Write a template."""
        (self.directory / name).write_text(text, "utf-8")

    def test_subject_and_body(self) -> None:
        """The first line that is not blank is the subject; blank lines around the rest go."""
        self.write("hello.txt", "\n\n Hello, {{ name }} \n\n\nFirst.\n\nLast.\n\n\n")

        mail = render_to_mail("hello", {"name": "Ada"}, to=["ada@example.org"])

        self.assertEqual("Hello, Ada", mail.subject)
        self.assertEqual("First.\n\nLast.\n", mail.body)
        self.assertEqual(["ada@example.org"], mail.to)
        self.assertEqual([], mail.alternatives)

    def test_plain_text_is_not_escaped(self) -> None:
        """What is HTML's own stays as it is, in the subject and in the text."""
        self.write("hello.txt", "{{ name }}\n{{ name }} & {% if 1 < 2 %}{{ name }}!{% endif %}")

        mail = render_to_mail("hello", {"name": "Tom & <Jerry>'s"})

        self.assertEqual("Tom & <Jerry>'s", mail.subject)
        self.assertEqual("Tom & <Jerry>'s & Tom & <Jerry>'s!\n", mail.body)

    def test_page_is_escaped(self) -> None:
        """Beside the text there may be a page, and that is HTML."""
        self.write("hello.txt", "{{ name }}")
        self.write("hello.html", "<p>{{ name }}</p>")

        mail = render_to_mail("hello", {"name": "Tom & Jerry"})

        ((page, kind),) = mail.alternatives
        self.assertEqual(("<p>Tom &amp; Jerry</p>", "text/html"), (page, kind))
        self.assertEqual("Tom & Jerry", mail.subject)

    def test_missing(self) -> None:
        """A group without a template is an error that names it."""
        with self.assertRaisesMessage(TemplateDoesNotExist, "nothing.txt"):
            render_to_mail("nothing", {})

    def test_blank(self) -> None:
        """A mail without a subject is an error, not an empty mail."""
        self.write("blank.txt", "\n  \n")

        with self.assertRaisesMessage(ValueError, "first line is the subject"):
            render_to_mail("blank", {})


class MessageIdTests(SimpleTestCase):
    """The Message-ID of a mail."""

    def test_same(self) -> None:
        """It depends on the key alone, and fits into a header whatever the key has in it."""
        self.assertEqual("<a_1@charity.example>", message_id({"key": "a_1"}))
        self.assertEqual("<a%40b%0A%3E@charity.example>", message_id({"key": "a@b\n>"}))
