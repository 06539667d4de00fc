"""The trigger sessions of a service: their storages and managers, on its dispatcher."""

from __future__ import annotations

from typing import Any

from twisted_dispatcher.triggers import (
    TriggerManager,
    TriggerStorage,
    install,
    storage_backends,
    trigger_managers,
)


class Triggers:
    """Gives the storages and managers of sessions. A service that works runs their tasks."""

    def __init__(self, dispatcher: Any) -> None:
        """:raises InvalidSession: when the dispatcher is not durable."""
        install(dispatcher)
        self._dispatcher = dispatcher

    def storage(self, uid: str, backend: str = "default") -> TriggerStorage:
        """
        Give the storage of a session.

        :param backend: its name among the `storage_backends`.
        :raises UnknownType: when there is no such backend.
        """
        storage: TriggerStorage = storage_backends.get(backend, uid, self._dispatcher)
        return storage

    def manager(
        self, uid: str, name: str = "default", *, backend: str = "default"
    ) -> TriggerManager:
        """
        Give a manager of a session.

        :param name: its name among the `trigger_managers`.
        :param backend: see `storage`.
        :raises UnknownType: when there is no such manager, or backend.
        """
        manager: TriggerManager = trigger_managers.get(name, self.storage(uid, backend))
        return manager
