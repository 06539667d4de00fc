"""XML as a stream of tags, read through defusedxml, with errors that name the cure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

from twisted_dispatcher.errors import DamagedLog, MissingExtra, TruncatedLog, UnsafeLog

OnStart = Callable[[str, Mapping[str, str]], object]
OnEnd = Callable[[str], object]

_CUT_OFF: Final = frozenset(
    ("no element found", "unclosed token", "unclosed CDATA section", "partial character")
)


class _NoText(ContentHandler):
    """Wants no call for text."""

    characters = None  # type: ignore[assignment]


class Markup:
    """
    A parser that is fed with text and calls a function for each tag that begins or ends.

    The functions get a tag's name as it is written. No tree is built.
    Document types and entities are refused, so that nothing expands and nothing is fetched.
    Making one raises `MissingExtra` if defusedxml is not installed.
    """

    def __init__(
        self, name: str, on_start: OnStart | None = None, on_end: OnEnd | None = None
    ) -> None:
        try:
            from defusedxml.common import DefusedXmlException
            from defusedxml.sax import make_parser
        except ImportError as error:
            raise MissingExtra("defusedxml", "reading XES", "cli") from error
        self._unsafe = DefusedXmlException
        self._name = name
        self._parser: Any = make_parser()
        self._parser.forbid_dtd = True
        # SAX calls a method for every tag and every blank between two tags, with an object
        # around the attributes. Taken where expat gives them to SAX, tags cost half.
        self._parser.start_element = on_start
        self._parser.end_element = on_end
        self._parser.setContentHandler(_NoText())
        # Newer parsers hold back what may be the beginning of a longer tag, until they are told.
        self._flush: Callable[[], object] = getattr(self._parser, "flush", lambda: None)

    def line(self) -> int:
        """Tell the line on which the last tag began."""
        return int(self._parser.getLineNumber())

    def feed(self, text: str) -> None:
        """
        Parse some more of the document.

        :raises DamagedLog, UnsafeLog: where it is not well-formed, or declares what it must not.
        """
        try:
            self._parser.feed(text)
            self._flush()
        except SAXParseException as error:
            raise DamagedLog(
                self._name,
                f"line {error.getLineNumber()}: it is not well-formed XML "
                f"({error.getMessage()}): mend it there, or copy it again",
            ) from error
        except self._unsafe as error:
            raise UnsafeLog(
                self._name,
                f"line {self.line()}: it declares a document type or entities, which no event log "
                "needs and which may do harm: take the declaration out",
            ) from error

    def close(self) -> None:
        """
        Say that this was all of the document.

        :raises TruncatedLog, DamagedLog: if something is still open.
        """
        try:
            self._parser.close()
        except SAXParseException as error:
            if error.getMessage() not in _CUT_OFF:
                raise DamagedLog(
                    self._name,
                    f"line {error.getLineNumber()}: it does not end as XML does "
                    f"({error.getMessage()}): mend it there, or copy it again",
                ) from error
            raise TruncatedLog(
                self._name,
                f"it ends in the middle of its XML, on line {error.getLineNumber()}: "
                "copy it again",
            ) from error
