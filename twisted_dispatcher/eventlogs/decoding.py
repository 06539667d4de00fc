"""Text out of bytes that come in pieces, and which encoding they are in."""

from __future__ import annotations

import codecs
import re
from typing import Final

from twisted_dispatcher.errors import TruncatedLog, UndecodableLog, UnknownLogFormat

UTF_8: Final = "utf-8-sig"  # which drops a byte order mark, if there is one
_DECLARED: Final = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


def known_encoding(encoding: str, log: str) -> str:
    """
    Give the codec's own name.

    :raises UnknownLogFormat: if there is no such encoding of text.
    """
    try:
        "".encode(encoding)  # which only an encoding of text can do
    except LookupError:
        raise UnknownLogFormat(
            log, f"there is no text encoding {encoding!r}: say, for example, utf-8 or latin-1"
        ) from None
    name = codecs.lookup(encoding).name
    return UTF_8 if name == "utf-8" else name


def guessed_encoding(head: bytes, log: str) -> str:
    """Tell what a byte order mark or an XML declaration says, else UTF-8."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    declared = _DECLARED.match(head.removeprefix(codecs.BOM_UTF8))
    return known_encoding(declared[1].decode("ascii"), log) if declared else UTF_8


class Decoder:
    """Turns bytes into text, piece by piece, and knows on which line it is."""

    def __init__(self, log: str, encoding: str) -> None:
        self._log = log
        self._shown = "UTF-8" if encoding == UTF_8 else encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._line = 1

    def decode(self, data: bytes) -> str:
        """
        Decode some more; no bytes mean the end.

        :raises UndecodableLog: if it is not in this encoding.
        :raises TruncatedLog: if it ends within a character.
        """
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise self._not_decoded(error, at_end=not data) from error
        if "\0" in text:
            raise self._nul_found(text)
        self._line += text.count("\n")
        return text

    def _not_decoded(self, error: UnicodeDecodeError, at_end: bool) -> Exception:
        line = self._line + error.object.count(b"\n", 0, error.start)
        if at_end:
            return TruncatedLog(
                self._log, f"it ends in the middle of a character, on line {line}: copy it again"
            )
        return UndecodableLog(
            self._log,
            f"line {line} is not {self._shown} (byte 0x{error.object[error.start]:02x}): say what "
            "it is with --encoding (often latin-1 or cp1252)",
        )

    def _nul_found(self, text: str) -> Exception:
        line = self._line + text.count("\n", 0, text.index("\0"))
        return UndecodableLog(
            self._log,
            f"line {line} has a NUL character, so that it is hardly {self._shown}: say what it is "
            "with --encoding (perhaps utf-16-le)",
        )
