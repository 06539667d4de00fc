#!/usr/bin/env python
"""Runs Django's commands for the site: ``python examples/challenges/manage.py migrate``."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command that was asked for."""
    # Found from the checkout, not from this directory, whose modules have everyday names.
    sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.challenges.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
