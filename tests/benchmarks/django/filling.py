"""The program C{filling URL ROWS}: stores orders, past save() and all sources."""

from __future__ import annotations

import sys

from tests.benchmarks.django.project import get_ready

AT_ONCE = 1000


def main(url: str, rows: int) -> None:
    """Stores them, for us and for the peer."""
    get_ready(url)
    from tests.benchmarks.django.shop.models import Order, SparkOrder

    for model in (Order, SparkOrder):
        for start in range(0, rows, AT_ONCE):
            some = range(start, min(start + AT_ONCE, rows))
            model.objects.bulk_create(model(customer="Ada", amount=each) for each in some)
    print(rows)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
