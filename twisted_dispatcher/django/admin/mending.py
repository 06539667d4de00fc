"""Replaying and skipping deliveries: as actions of a list, and as buttons on a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseNotAllowed
from django.urls import path
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from twisted_dispatcher.django.admin.addresses import address_of, page_of
from twisted_dispatcher.django.admin.stored import FORM, outside_transactions
from twisted_dispatcher.errors import DispatcherError
from twisted_dispatcher.records import DEAD, SETTLED

# So many problems are told one by one.
MOST_NAMED: Final = 10


@attrs.frozen
class Mending:
    """
    Something that can be done to a delivery.

    :ivar name: also that of the permission, ``<name>_delivery``.
    :ivar fits: tells by its status whether it can be done to a delivery.
    :ivar done_to_one, done_to_many: say what has happened.
    """

    name: str
    title: str
    fits: Callable[[str], bool]
    do: Callable[[int], object]
    done_to_one: str
    done_to_many: str

    @property
    def permission(self) -> str:
        return f"twisted_dispatcher.{self.name}_delivery"


# The bridge is imported where something is changed: pages that only show do without it.


def _replay(delivery_id: int) -> None:
    from twisted_dispatcher.django import running

    running.replay(delivery_id)


def _skip(delivery_id: int) -> None:
    from twisted_dispatcher.django import running

    running.skip(delivery_id)


REPLAY: Final = Mending(
    "replay",
    "Replay",
    lambda status: status in SETTLED,
    _replay,
    "it is to be run again.",
    "they are to be run again.",
)
SKIP: Final = Mending(
    "skip",
    "Skip",
    lambda status: status == DEAD or status not in SETTLED,
    _skip,
    "it was given up; its event goes on without it.",
    "they were given up; their events go on without them.",
)
MENDINGS: Final = {each.name: each for each in (REPLAY, SKIP)}


def mend(request: HttpRequest, mending: Mending, deliveries: Iterable[Any]) -> list[Any]:
    """
    Do it to each of some deliveries, and tell the user what has become of them.

    :return: those to which it was done.
    :raises PermissionDenied: when the user may not; then nothing is done.
    """
    if not request.user.has_perm(mending.permission):
        raise PermissionDenied
    problems: list[str] = []
    done = [each for each in deliveries if _is_done(mending, each, problems)]
    if len(done) == 1:
        messages.success(request, f"{_named(done[0])}: {mending.done_to_one}")
    elif done:
        messages.success(request, f"{len(done)} deliveries: {mending.done_to_many}")
    for problem in problems[:MOST_NAMED]:
        messages.error(request, problem)
    if len(problems) > MOST_NAMED:
        messages.error(request, f"{len(problems) - MOST_NAMED} more could not be changed either.")
    return done


def _is_done(mending: Mending, delivery: Any, problems: list[str]) -> bool:
    try:
        mending.do(delivery.pk)
    except (DispatcherError, TimeoutError) as error:
        problems.append(f"{_named(delivery)}: {error}")
        return False
    return True


def _named(delivery: Any) -> str:
    # capitalize() would make small letters of those in the handler's name.
    return str(capfirst(str(delivery)))


class MendingMixin:
    """Gives an admin of deliveries the actions, and the address that the buttons post to."""

    actions = ("replay", "skip")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Tell whether the action is offered."""
        return bool(request.user.has_perm(REPLAY.permission))

    def has_skip_permission(self, request: HttpRequest) -> bool:
        """Tell whether the action is offered."""
        return bool(request.user.has_perm(SKIP.permission))

    @admin.action(permissions=["replay"], description="Replay: have them run again")
    def replay(self, request: HttpRequest, queryset: Any) -> None:
        """Have deliveries run again."""
        self._mend(request, REPLAY, queryset)

    @admin.action(permissions=["skip"], description="Skip: give them up")
    def skip(self, request: HttpRequest, queryset: Any) -> None:
        """Give up deliveries."""
        self._mend(request, SKIP, queryset)

    def get_urls(self) -> list[Any]:
        """Add the address of the buttons."""
        view = self.admin_site.admin_view(self.mend_view)  # type: ignore[attr-defined]
        name = f"twisted_dispatcher_{self.opts.model_name}_mend"  # type: ignore[attr-defined]
        own = path("<path:object_id>/mend/<slug:what>/", view, name=name)
        others = super().get_urls()  # type: ignore[misc]
        return [*outside_transactions([own]), *others]

    def mend_view(self, request: HttpRequest, object_id: str, what: str) -> HttpResponse:
        """Do what a button says, and go back to its page."""
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        delivery = self.get_object(request, unquote(object_id))  # type: ignore[attr-defined]
        if delivery is None or what not in MENDINGS:
            raise Http404
        self._mend(request, MENDINGS[what], [delivery])
        return HttpResponseRedirect(_back(request, delivery))

    def _mend(self, request: HttpRequest, mending: Mending, deliveries: Iterable[Any]) -> None:
        for each in mend(request, mending, deliveries):
            self.log_change(request, each, mending.done_to_one.capitalize())  # type: ignore[attr-defined]


def _back(request: HttpRequest, delivery: Any) -> str:
    if request.POST.get("back") == "event":
        return page_of(request, "event", delivery.event_id)
    return page_of(request, "delivery", delivery.pk)


def buttons(request: HttpRequest, delivery_id: int, status: str, back: str) -> SafeString:
    """Show as buttons what the user may do to a delivery; they belong to the page's form."""
    return format_html_join(
        " ",
        '<button class="button" form="{}" formaction="{}" name="back" value="{}">{}</button>',
        (
            (FORM, address_of(request, "delivery_mend", delivery_id, each.name), back, each.title)
            for each in MENDINGS.values()
            if each.fits(status) and request.user.has_perm(each.permission)
        ),
    )
