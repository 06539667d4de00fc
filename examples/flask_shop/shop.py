"""What the shop does with an order, as plain functions that may block."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from twisted_dispatcher import Acceptance, Event, HandlerOptions, current_delivery
from twisted_dispatcher.blocking import Connection, connect


class Shop:
    """
    The orders of the shop, and their bills.

    Web servers fork their workers, and what was connected before that is of no use in them. So it
    connects when it is first needed.
    """

    def __init__(self, store: str, bills: Path, timeout: float = 30.0) -> None:
        """
        :param store: the URL of the store.
        :param bills: the directory of the bills.
        :param timeout: seconds that a call may take.
        """
        self._store = store
        self._bills = bills
        self._timeout = timeout
        self._connecting = threading.Lock()
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection of this process."""
        with self._connecting:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection

    def _connect(self) -> Connection:
        settings = {"store": self._store, "keywords": ["kind"], "lease": 2.0}
        connection = connect(settings, timeout=self._timeout)
        options = HandlerOptions(name="shop.write_bill")
        connection.on(kind="order", options=options)(self.write_bill)
        return connection

    def write_bill(self, order: Event) -> None:
        """Write the bill of an order; when it is written again, it is the same."""
        self._bills.mkdir(exist_ok=True)
        path = self._bills / f"{order.context['number']}.txt"
        lines = [f"Bill for order {order.context['number']}"]
        lines += [f"{count} x {what}" for what, count in order.context["basket"].items()]
        # Whole or not at all, whatever is killed when.
        half = path.with_suffix(f".{current_delivery().attempt}")
        half.write_text("\n".join(lines) + "\n", "utf-8")
        half.replace(path)

    def receive(self, number: int, basket: dict[str, Any]) -> Acceptance:
        """Receive an order; once this returns, its bill will be written."""
        order, key = self._order(number, basket)
        return self.connection.accept_event(order, key=key, kind="order")

    def complete(self, number: int, basket: dict[str, Any], timeout: float) -> bool:
        """Receive an order, and wait until its bill is written; tell whether it is."""
        order, key = self._order(number, basket)
        result = self.connection.fire_event(order, key=key, kind="order", timeout=timeout)
        return not result.failures

    @staticmethod
    def _order(number: int, basket: dict[str, Any]) -> tuple[Event, str]:
        return Event(type="order", context={"number": number, "basket": basket}), f"order/{number}"

    def standing(self, number: int) -> dict[str, str]:
        """Tell how far each handler of an order is."""
        deliveries = self.connection.deliveries(key=f"order/{number}")
        return {delivery.handler: delivery.status for delivery in deliveries}
