"""Getting at the text of a log: gzip, encodings, and what can be wrong with either."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.errors import (
    DamagedLog,
    EventLogError,
    NotGzip,
    TruncatedLog,
    UndecodableLog,
    UnknownLogFormat,
)
from twisted_dispatcher.eventlogs.contents import CHUNK, LogContents

TEXT = "".join(f"line {number}: perché no\n" for number in range(20_000))


class LogContentsTests(SynchronousTestCase):
    """Text out of files."""

    def contents(
        self, data: bytes, name: str = "some.log", encoding: str | None = None
    ) -> LogContents:
        """Put bytes into a file and open it."""
        path = Path(self.mktemp())
        path.mkdir()
        path = path / name
        path.write_bytes(data)
        contents = LogContents.of(path, encoding)
        self.addCleanup(contents.close)
        return contents

    def text(self, data: bytes, name: str = "some.log", encoding: str | None = None) -> str:
        """Read all the text out of bytes in a file."""
        return "".join(self.contents(data, name, encoding).chunks())

    def refused(
        self,
        error: type[EventLogError],
        data: bytes,
        name: str = "some.log",
        encoding: str | None = None,
    ) -> str:
        """Check how bytes in a file are refused and give the message."""
        contents = self.contents(data, name, encoding)
        message = str(self.assertRaises(error, lambda: list(contents.chunks())))
        self.assertTrue(message.startswith(contents.name), message)
        return message

    def test_plain_and_packed(self) -> None:
        """The same text comes out of a plain file and a gzipped one, whatever its name."""
        plain = TEXT.encode()

        self.assertEqual(self.text(plain), TEXT)
        self.assertEqual(self.text(gzip.compress(plain)), TEXT)
        self.assertEqual(self.text(gzip.compress(plain), "some.log.gz"), TEXT)

    def test_several_packed_parts(self) -> None:
        """Gzip files put one behind the other are read to the end of the last."""
        half = len(TEXT) // 2
        packed = gzip.compress(TEXT[:half].encode()) + gzip.compress(TEXT[half:].encode())

        self.assertEqual(self.text(packed), TEXT)

    def test_again(self) -> None:
        """A file is read from its beginning each time, also after it was left in the middle."""
        contents = self.contents(gzip.compress(TEXT.encode()))
        next(contents.chunks())

        self.assertEqual("".join(contents.chunks()), TEXT)
        self.assertEqual("".join(contents.chunks()), TEXT)

    def test_position(self) -> None:
        """The position counts the bytes of the text, not those that were packed."""
        contents = self.contents(gzip.compress(TEXT.encode()))
        chunks = contents.chunks()
        next(chunks)
        after_one = contents.position
        list(chunks)

        self.assertTrue(0 < after_one <= CHUNK)
        self.assertEqual(contents.position, len(TEXT.encode()))

    def test_byte_order_marks(self) -> None:
        """A byte order mark is dropped, and one of UTF-16 says that it is UTF-16."""
        self.assertEqual(self.text(TEXT.encode("utf-8-sig")), TEXT)
        self.assertEqual(self.text(TEXT.encode("utf-8-sig"), encoding="UTF8"), TEXT)
        self.assertEqual(self.text(TEXT.encode("utf-16")), TEXT)

    def test_declared_encoding(self) -> None:
        """An XML declaration says what the encoding is, unless it was given."""
        xml = '<?xml version="1.0" encoding="ISO-8859-1"?><log>è</log>'

        self.assertEqual(self.text(xml.encode("latin-1")), xml)
        self.assertEqual(self.text(xml.encode("utf-8"), encoding="utf-8"), xml)

    def test_character_on_the_border(self) -> None:
        """A character whose bytes come in different pieces is read whole."""
        text = "x" * (CHUNK - 1) + "è"

        self.assertEqual(self.text(text.encode()), text)

    def test_pipe(self) -> None:
        """A pipe is read as it comes, and cannot be rewound."""
        reading, writing = os.pipe()
        with open(writing, "wb") as out:
            out.write(gzip.compress(b"some text\n"))
        contents = LogContents(os.fdopen(reading, "rb"), "a pipe", None)
        self.addCleanup(contents.close)

        self.assertFalse(contents.rewindable)
        self.assertEqual("".join(contents.chunks()), "some text\n")

    def test_empty(self) -> None:
        """An empty file has no text; what that means is not decided here."""
        self.assertEqual(self.text(b""), "")
        self.assertEqual(self.text(gzip.compress(b""), "some.log.gz"), "")

    def test_truncated_gzip(self) -> None:
        """Gzip data that end too early are told to be copied again, wherever they are cut."""
        packed = gzip.compress(TEXT.encode())
        for length in (5, len(packed) // 2, len(packed) - 4):
            message = self.refused(TruncatedLog, packed[:length])
            self.assertIn("copy it again", message)

    def test_damaged_gzip(self) -> None:
        """Gzip data that were changed are noticed, and so is what follows them."""
        packed = gzip.compress(TEXT.encode())
        changed = bytearray(packed)
        changed[-6] ^= 1

        self.assertIn("CRC", self.refused(DamagedLog, bytes(changed)))
        self.refused(DamagedLog, packed + b"something else")
        self.refused(DamagedLog, packed[:100] + b"\xff" * 200 + packed[300:])
        self.refused(DamagedLog, b"\x1f no gzip")

    def test_not_gzip(self) -> None:
        """A file that is named .gz and is not is refused, and its name blamed."""
        self.assertIn("rename it", self.refused(NotGzip, b"some text", "some.log.gz"))

    def test_other_encoding(self) -> None:
        """Text in another encoding is refused with its line and the option that helps."""
        data = b"one\ntwo\nperch\xe8 no\n"

        message = self.refused(UndecodableLog, data)
        self.assertIn("line 3 is not UTF-8 (byte 0xe8)", message)
        self.assertIn("--encoding", message)
        self.assertEqual(self.text(data, encoding="latin-1"), "one\ntwo\nperchè no\n")

    def test_line_far_down(self) -> None:
        """The line of a wrong byte is right also when it is far down."""
        data = TEXT.encode() + b"\xff\n"

        self.assertIn("line 20001 is not", self.refused(UndecodableLog, data))

    def test_cut_in_a_character(self) -> None:
        """Text that ends within a character is cut off, not in another encoding."""
        message = self.refused(TruncatedLog, "one\nperchè".encode()[:-1])

        self.assertIn("on line 2: copy it again", message)

    def test_wide_characters_without_mark(self) -> None:
        """UTF-16 without a mark is not taken for text with NULs in it."""
        data = "a,b\nc,d\n".encode("utf-16-le")

        self.assertIn("utf-16-le", self.refused(UndecodableLog, data))
        self.assertEqual(self.text(data, encoding="utf-16-le"), "a,b\nc,d\n")

    def test_no_such_encoding(self) -> None:
        """An encoding that does not exist, or is not one of text, is refused when opening."""
        for encoding in ("klingon", "hex"):
            error = self.assertRaises(UnknownLogFormat, self.contents, b"text", encoding=encoding)
            self.assertIn(repr(encoding), str(error))

    def test_no_such_declared_encoding(self) -> None:
        """An encoding that an XML declaration makes up is refused."""
        message = self.refused(UnknownLogFormat, b'<?xml version="1.0" encoding="klingon"?><log/>')

        self.assertIn("'klingon'", message)
