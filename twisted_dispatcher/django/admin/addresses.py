"""Where the pages of rows are, on the admin site that is asked."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


def address_of(request: HttpRequest | None, name: str, *parts: Any, **query: Any) -> str:
    """Give the address of a page of the admin, by its name without the application's."""
    site = getattr(request, "current_app", None)
    name = f"admin:twisted_dispatcher_{name}"
    address = reverse(name, args=tuple(map(quote, parts)), current_app=site)
    return f"{address}?{urlencode(query)}" if query else address


def page_of(request: HttpRequest | None, model: str, key: Any) -> str:
    """Give the address of the page of a row."""
    return address_of(request, f"{model}_change", key)


def link(address: str, text: Any) -> SafeString:
    """Show a text as a link."""
    shown: SafeString = format_html('<a href="{}">{}</a>', address, text)
    return shown
