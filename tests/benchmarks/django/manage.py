"""The program C{manage COMMAND}: runs one of Django's commands, with the project that is measured.

The database and where events are dispatched are said by variables, as C{project} sets them.
"""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from tests.benchmarks.django.project import get_ready
from tests.django_project.databases import DATABASE, RUN

if __name__ == "__main__":
    get_ready(os.environ[DATABASE], os.environ[RUN], migrate=False)
    execute_from_command_line(sys.argv)
