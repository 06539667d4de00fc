"""A relay between a client and a server, which cuts their connections in the middle of a reply."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Lock, Thread


class Relay:
    """
    Listens on a port of its own, in threads, and passes on what it is given.

    :ivar port: where it listens, on 127.0.0.1.
    :ivar cuts: how often it has cut.
    """

    def __init__(self, family: int, address: object) -> None:
        """:param address: of the server, as sockets of that family have it."""
        self._server = (family, address)
        self._lock = Lock()
        self._left: int | None = None
        self._sockets: list[socket.socket] = []
        self.cuts = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        Thread(target=self._listen, daemon=True).start()

    def cut_after(self, count: int | None) -> None:
        """Cut the connection by which so many bytes more have been replied; None: no more cuts."""
        with self._lock:
            self._left = count

    def close(self) -> None:
        """Listen no more, and end all connections."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._sockets:
            _end(each)

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                family, address = self._server
                server = socket.socket(family, socket.SOCK_STREAM)
                self._sockets += [client, server]
                try:
                    server.connect(address)  # type: ignore[arg-type]
                except OSError:
                    _end(client)
                    continue
                for source, sink, is_reply in ((client, server, False), (server, client, True)):
                    Thread(target=self._pass, args=(source, sink, is_reply), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_reply: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                kept = self._kept(len(data)) if is_reply else len(data)
                sink.sendall(data[:kept])
                if kept < len(data):
                    break
        _end(source)
        _end(sink)

    def _kept(self, size: int) -> int:
        """Tell how much of a reply is passed on; less than all of it before a cut."""
        with self._lock:
            if self._left is None or size <= self._left:
                self._left = None if self._left is None else self._left - size
                return size
            kept, self._left = self._left, None
            self.cuts += 1
            return kept


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
