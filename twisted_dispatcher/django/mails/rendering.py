"""What a template says: its first line is the subject of the mail, the rest is the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.template import Context, Template


def subject_and_body(source: str, context: Mapping[str, Any]) -> tuple[str, str]:
    """
    Render a template as plain text, in which nothing is escaped, and take it apart.

    :return: the first line that is not blank, and what follows, without the blank lines around
        it; both are empty where there is nothing.
    :raises Exception: whatever Django, or what is called from the template, raises.
    """
    text = Template(source).render(Context(dict(context), autoescape=False))
    subject, _, body = text.strip().partition("\n")
    return subject.strip(), "\n".join(map(str.rstrip, body.splitlines())).strip("\n")
