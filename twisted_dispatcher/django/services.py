"""The service that dispatches a project's events, made of its setting and its handlers."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.utils.module_loading import import_string
from twisted.application.service import Service
from twisted.internet.defer import Deferred

from twisted_dispatcher.django import registry
from twisted_dispatcher.django.conf import KEYWORDS, Conf
from twisted_dispatcher.django.databases import store_url
from twisted_dispatcher.django.guarding import admit_orm, refuse_orm
from twisted_dispatcher.django.threads import the_threads
from twisted_dispatcher.django.unmigrated import NotMigrated
from twisted_dispatcher.errors import SchemaTooOld
from twisted_dispatcher.service import DispatcherService
from twisted_dispatcher.settings import Settings


def settings_of(given: Conf, works: bool) -> Settings:
    """
    Give the settings of a dispatcher on a database of the project.

    :param works: whether it calls handlers.
    :raises UnsuitableDatabase: see `store_url`.
    """
    return Settings(
        store=store_url(given.database),
        keywords=KEYWORDS,
        order_by=given.order_by,
        worker=works,
        lease=given.lease,
        drain=given.drain,
        bury_after=given.bury_after,
        keep_payloads=given.keep_payloads,
        keep_keys=given.keep_keys,
    )


def new_service(given: Conf, settings: Settings, reactor: Any) -> DispatcherService:
    """
    Make the service, in the reactor's thread; one that works has the project's handlers.

    :param settings: those that `settings_of` makes of what is given.
    :raises ImportError: when there is nothing at the dotted path of the setup.
    :raises NotMigrated: when the tables are not there, or older: to make them is Django's.
    :raises StoreError: when the store cannot be opened.
    """
    try:
        return DispatcherService(
            settings,
            setup=partial(_set_up, given.setup) if settings.worker else None,
            runners={"thread": the_threads()},
            migrate=False,
            reactor=reactor,
        )
    except SchemaTooOld:
        # Its own cure makes tables behind the back of Django.
        raise NotMigrated(given.database) from None


def _set_up(setup: str | None, service: DispatcherService) -> None:
    if setup is not None:
        import_string(setup)(service)
    service.addService(Latecomers(service))
    service.addService(Guard())


class Latecomers(Service):
    """Registers the project's handlers, also those that are registered later."""

    def __init__(self, service: DispatcherService) -> None:
        """:raises DispatcherError: for a handler that cannot be registered; nothing is left."""
        self._service = service
        try:
            registry.enter(service.sources, self._follow)
        except BaseException:
            registry.leave(self._follow)
            raise

    def _follow(self, registered: registry.GroupHandler) -> None:
        """Take a handler that was registered in whatever thread."""
        enter = partial(registry.hand_over, self._service.sources, registered)
        self._service.reactor.callFromThread(enter)

    def stopService(self) -> Deferred[None] | None:
        """Take no more of them."""
        registry.leave(self._follow)
        return super().stopService()  # type: ignore[no-any-return, no-untyped-call]


class Guard(Service):
    """Keeps the ORM out of the reactor's thread while the service runs."""

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        refuse_orm()

    def stopService(self) -> None:
        """Leave the thread as it was found."""
        super().stopService()  # type: ignore[no-untyped-call]
        admit_orm()
