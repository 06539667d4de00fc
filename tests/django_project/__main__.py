"""Runs Django's commands with the settings of the project: ``python -m tests.django_project``."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.django_project.settings"
execute_from_command_line(["python -m tests.django_project", *sys.argv[1:]])
