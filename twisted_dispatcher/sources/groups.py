"""The pattern by which a handler selects groups."""

from __future__ import annotations

import re

from twisted_dispatcher.errors import InvalidSource


def group_pattern(group: str | re.Pattern[str]) -> re.Pattern[str]:
    """
    Give the pattern that is searched for in the group of an event; an empty one finds all.

    :raises InvalidSource: when it is no pattern for text, and where it goes wrong.
    """
    if isinstance(group, re.Pattern) and isinstance(group.pattern, str):
        return group
    if not isinstance(group, str):
        raise InvalidSource(
            f"a group is selected by a pattern for text, not by {type(group).__name__}: give a "
            "regular expression, as text or compiled"
        )
    try:
        return re.compile(group)
    except re.error as error:
        raise InvalidSource(
            f"the group's pattern {group!r} is no regular expression: {error}; where it is meant "
            "literally, give re.escape(...)"
        ) from error
