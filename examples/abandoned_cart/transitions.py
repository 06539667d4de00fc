"""What leads on from where, in the life of a cart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from examples.abandoned_cart.shop import Booking, Shop
from twisted_dispatcher.chains import DONE, NEW, Transition

CHAIN_TYPE = "abandoned_cart"


class CartTransition(Transition):
    """
    A way on for a cart.

    :cvar shop: the shop that the carts are in; `chain_configs` sets it.
    """

    shop: ClassVar[Shop]

    @property
    def booking(self) -> Booking:
        """The booking that the chain is about."""
        return self.shop.bookings[str(self.resources["online_booking"])]

    def is_left_for(self, days: int) -> bool:
        """Tell whether the cart was left alone for so long, and say so where it was not."""
        left_for = self.shop.now() - self.booking.changed
        if left_for < timedelta(days=days):
            self.errors.append(f"the cart was changed {left_for.days} days ago, and not {days}")
            return False
        return True


class Bought(CartTransition):
    """Ends the chain when the cart is paid for."""

    final_state = DONE

    def is_valid(self) -> bool:
        if not self.booking.is_paid:
            self.errors.append("the cart is not paid for")
        return self.booking.is_paid


class Reminder(CartTransition):
    """Reminds somebody of the cart; subclasses say after how many days, and how."""

    days: ClassVar[int]
    subject: ClassVar[str]

    def is_valid(self) -> bool:
        return self.is_left_for(self.days)

    def build_context(self) -> dict[str, Any]:
        return {"email_to": self.booking.email, "subject": self.subject}


class Cart2DayReminder(Reminder):
    """Asks whether anything was forgotten."""

    final_state = "cart_2_day_reminder_sent"
    days = 2
    subject = "Did you forget something?"


class Cart1WeekReminder(Reminder):
    """Tells that the cart is still there."""

    final_state = "cart_1_week_reminder_sent"
    days = 7
    subject = "Your cart is still here"


class GiveUp(CartTransition):
    """Empties a cart that nobody came back to; of this nobody is told."""

    final_state = "given_up"
    not_before = timedelta(days=7)

    def callback(self) -> None:
        del self.shop.bookings[self.booking.id]


def chain_configs(shop: Shop) -> dict[str, Any]:
    """Give the configuration of the chains, for the carts of a shop."""
    CartTransition.shop = shop
    return {
        "chains": [
            {
                "chain_type": CHAIN_TYPE,
                "transitions": {
                    NEW: [Bought, Cart2DayReminder],
                    Cart2DayReminder.final_state: [Bought, Cart1WeekReminder],
                    Cart1WeekReminder.final_state: [Bought, GiveUp],
                    GiveUp.final_state: [],
                },
            }
        ]
    }
