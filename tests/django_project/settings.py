"""
The project's settings.

Where events live is said by the variable DATABASE: ``postgresql://...``, or ``sqlite:///`` and the
path of a file that need not exist. Without it that is a new file. RUN is the setting of that name.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from tests.django_project.admin import MIDDLEWARE, TEMPLATES  # noqa: F401
from tests.django_project.databases import DATABASE, MORE, RUN, careless_database_at

_new = tempfile.TemporaryDirectory(prefix="django-project-")
_home = Path(_new.name)

SECRET_KEY = "not a secret, since this project is never served"
ALLOWED_HOSTS = ["testserver"]
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "tests.django_project.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Nobody guesses the passwords of tests.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "twisted_dispatcher.django",
    "twisted_dispatcher.django.mails",
    "tests.django_project.club",
]
DATABASES = {
    "default": careless_database_at(
        os.environ.get(DATABASE) or f"sqlite:///{_home / 'default.db'}"
    ),
    # Where no event lives.
    "other": careless_database_at(f"sqlite:///{_home / 'other.db'}"),
}
TWISTED_DISPATCHER = {
    "RUN": os.environ.get(RUN, "daemon"),
    **json.loads(os.environ.get(MORE, "{}")),
}
