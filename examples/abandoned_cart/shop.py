"""The shop: its bookings, as they would stand in a database of its own."""

from __future__ import annotations

from datetime import datetime, timezone

import attrs
from twisted.internet.interfaces import IReactorTime


@attrs.define
class Booking:
    """What somebody has put into the cart, and when that was last changed."""

    id: str
    email: str
    changed: datetime
    is_paid: bool = False


class Shop:
    """Keeps the bookings, and knows what time it is."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self.bookings: dict[str, Booking] = {}

    def now(self) -> datetime:
        """Give the time."""
        return datetime.fromtimestamp(self._clock.seconds(), timezone.utc)

    def fill_cart(self, booking_id: str, email: str) -> Booking:
        """Put something into a cart, which may be a new one."""
        booking = Booking(booking_id, email, self.now())
        self.bookings[booking_id] = booking
        return booking

    def pay(self, booking_id: str) -> None:
        """Take the money for what is in a cart."""
        self.bookings[booking_id].is_paid = True
