"""The application: it registers what it says of its orders, and who handles that."""

from __future__ import annotations

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """The shop."""

    name = "tests.benchmarks.django.shop"
    label = "shop"

    def ready(self) -> None:
        """Registers sources and handlers, ours and the peer's."""
        from tests.benchmarks.django import spark
        from tests.benchmarks.django.shop.events import handle, nothing_of_order, of_order
        from tests.benchmarks.django.shop.models import Order, QuietOrder, SparkOrder
        from twisted_dispatcher.django import api

        api.register_model_event_source(sender=QuietOrder, source=nothing_of_order)
        api.register_model_event_source(sender=Order, source=of_order)
        api.register_group_handler(handler=handle, group="^order_")
        spark.process_saved(SparkOrder, of_order)
        spark.HANDLERS.append(("^order_", handle))
