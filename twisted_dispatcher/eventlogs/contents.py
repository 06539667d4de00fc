"""
The text of a log, whatever it is wrapped in: gzip or not, a file or a pipe, any encoding.

A file is opened once and read as often as needed, so that what was checked is what is read
then, also if the name is given to another file meanwhile. A pipe can be read only once.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from twisted_dispatcher.errors import DamagedLog, NotGzip, TruncatedLog
from twisted_dispatcher.eventlogs.decoding import Decoder, guessed_encoding, known_encoding

Bytes = io.BufferedReader | gzip.GzipFile

CHUNK: Final = 64 * 1024
STANDARD_INPUT: Final = 0
_GZIP_MAGIC: Final = b"\x1f"  # it begins no text, and one byte is all that a pipe must give


class LogContents:
    """
    A log as text that comes in pieces.

    `position` tells how many bytes of it, unpacked, were read; `rewindable` whether
    `chunks` can be called again, to begin anew.
    """

    def __init__(self, file: io.BufferedReader, name: str, encoding: str | None) -> None:
        self.name = name
        self.position = 0
        self.rewindable = file.seekable()
        self.packed_size = os.fstat(file.fileno()).st_size if self.rewindable else None
        self._file = file
        self._start = file.tell() if self.rewindable else 0
        self._encoding = encoding

    @classmethod
    def of(cls, path: str | os.PathLike[str], encoding: str | None) -> LogContents:
        """
        Open a file, or the standard input for ``-``. An `OSError` is let through.

        :param encoding: None for UTF-8, or what an XML declaration or a byte order mark says.
        :raises UnknownLogFormat: if there is no such encoding.
        """
        name = "standard input" if path == "-" else os.fspath(path)
        if encoding is not None:
            encoding = known_encoding(encoding, name)
        # The standard input gets a descriptor of its own, because the interpreter closes that one
        # when the program ends, and would have to wait for a thread that still waits in it.
        return cls(open(os.dup(STANDARD_INPUT) if path == "-" else path, "rb"), name, encoding)

    @property
    def packed_position(self) -> int:
        """How many bytes of the file itself were read; 0 for a pipe."""
        return self._file.tell() - self._start if self.rewindable else 0

    def close(self) -> None:
        """
        Close the file. A pipe is left to itself: a thread may still be waiting in it, and closing
        it would wait for that.
        """
        if self.rewindable:
            self._file.close()

    def chunks(self) -> Iterator[str]:
        """
        Read the text from its beginning, in pieces of some ten thousand characters.

        :raises NotGzip, TruncatedLog, DamagedLog, UndecodableLog: where it is met.
        """
        if self.rewindable:
            self._file.seek(self._start)
        self.position = 0
        with self._errors_told():
            stream = self._unpacked()
            data = stream.read1(CHUNK)
            encoding = self._encoding or guessed_encoding(data, self.name)
            decoder = Decoder(self.name, encoding)
            while data:
                self.position += len(data)
                yield decoder.decode(data)
                data = stream.read1(CHUNK)
            yield decoder.decode(b"")

    def _unpacked(self) -> Bytes:
        head = self._file.peek(1)[:1]
        if head == _GZIP_MAGIC:
            return gzip.GzipFile(fileobj=self._file)
        if head and self.name.endswith(".gz"):
            raise NotGzip(
                self.name, "it is named .gz and is not gzip: pack it, or rename it without .gz"
            )
        return self._file

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        try:
            yield
        except EOFError as error:
            raise TruncatedLog(
                self.name, "it ends in the middle of its gzip data: copy it again"
            ) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DamagedLog(
                self.name, f"its gzip data are damaged ({error}): copy it again"
            ) from error
