"""Stands in for a service that knows browsers, and that is away at times."""

from __future__ import annotations

import os

VARIABLE = "QUESTIONNAIRE_BROWSERS"
KNOWN = ("Firefox", "Chrome", "Safari")


class ServiceAway(Exception):
    """The service does not answer."""


def look_up(agent: str) -> str:
    """Name the browser of a user agent; raises ServiceAway where the environment says so."""
    if os.environ.get(VARIABLE) == "away":
        raise ServiceAway("the service that knows browsers does not answer")
    return next((name for name in KNOWN if name in agent), "another browser")
