"""The program C{looking URL TIMES}: how long pages of the admin take, by whoever may see all.

Prints milliseconds for each page: the median of so many times.
"""

from __future__ import annotations

import json
import sys
from statistics import median
from time import perf_counter
from typing import Any

from tests.benchmarks.contenders import WrongCalls
from tests.benchmarks.django.names import PAGES
from tests.benchmarks.django.project import get_ready


def main(url: str, times: int) -> None:
    """Measures, and prints."""
    get_ready(url)
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client

    from twisted_dispatcher.django.models import Event

    if connection.vendor == "postgresql":
        # As it does by itself, some time after so much was written.
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    some = Event.objects.order_by("pk")[Event.objects.count() // 2]
    pages = {name: path.format(pk=some.pk, key=some.key) for name, path in PAGES.items()}
    print(json.dumps({name: look(client, path, times) for name, path in pages.items()}))


def look(client: Any, path: str, times: int) -> float:
    """Gives the milliseconds that a page takes."""
    taken = []
    # The first one makes what is kept for the others.
    for _ in range(times + 1):
        began = perf_counter()
        answer = client.get(f"/admin/twisted_dispatcher/{path}")
        taken.append(perf_counter() - began)
        if answer.status_code != 200:
            raise WrongCalls(f"{path}: {answer.status_code}")
    return 1000 * median(taken[1:])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
