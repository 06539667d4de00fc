"""How texts, JSON and tables look on a page. Whatever stands in them is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

# So many characters of a text are shown.
MOST_SHOWN: Final = 100_000


def text_block(text: str | None) -> SafeString | str | None:
    """Show a text as it is, in lines; what stands in it is never taken for markup."""
    if text is None:
        return None
    if len(text) > MOST_SHOWN:
        left_out = len(text) - MOST_SHOWN
        text = f"{text[:MOST_SHOWN]}\n... and {left_out:,} characters more"
    return format_html('<pre class="stored-text">{}</pre>', text)


def json_block(text: str | None) -> SafeString | str | None:
    """Show a JSON text in a readable form; objects in it are not made."""
    if text is None:
        return None
    try:
        return text_block(json.dumps(json.loads(text), indent=2, ensure_ascii=False))
    except ValueError:
        return text_block(text)


def encoded_block(text: str | None) -> SafeString | str:
    """Show what the codec has written, without the version of its format; None as nothing."""
    return "" if text is None else json_block(json.dumps(plain(text))) or ""


def plain(text: str) -> Any:
    """Give what the codec has written, as plain JSON values."""
    try:
        return json.loads(text)[1]
    except (ValueError, LookupError, TypeError):
        return text


def table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> SafeString:
    """Show rows as a table; cells are escaped, unless they are markup of ours."""
    return format_html(
        '<table class="stored-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        format_html_join("", "<th>{}</th>", ((head,) for head in heads)),
        format_html_join("", "<tr>{}</tr>", ((_cells(row),) for row in rows)),
    )


def _cells(row: Iterable[Any]) -> SafeString:
    return format_html_join("", "<td>{}</td>", (("-" if each is None else each,) for each in row))


def group_of(details: str) -> str | None:
    """Give the group of an event by its details, as the codec has written them."""
    found = plain(details)
    group = found.get("group") if isinstance(found, dict) else None
    return group if isinstance(group, str) else None
