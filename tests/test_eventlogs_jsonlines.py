"""Reading JSON Lines of CloudEvents."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.eventlogs.jsonlines import checked_jsonl, read_jsonl
from twisted_dispatcher.eventlogs.lines import LONGEST_LINE, BadLine
from twisted_dispatcher.events import Event


def line(**changes: Any) -> str:
    """A CloudEvent on a line; what is changed to `...` is left out."""
    event = {"specversion": "1.0", "id": "7", "source": "/desk", "type": "Closed", **changes}
    return json.dumps({name: value for name, value in event.items() if value is not ...})


def read(*texts: str) -> list[Event | BadLine]:
    """Read lines."""
    return list(read_jsonl(["\n".join(texts)], "a log"))


class ReadJsonlTests(SynchronousTestCase):
    """Lines and the events on them."""

    def test_event(self) -> None:
        """A CloudEvent on a line is read as an event."""
        (event,) = read(line(time="2024-05-06T12:00:00Z", data={"n": 1}))

        self.assertEqual(
            event,
            Event(
                "Closed",
                "/desk 7",
                "/desk",
                {"n": 1},
                datetime(2024, 5, 6, 12, 0, 0, 0, timezone.utc),
            ),
        )

    def test_blank_lines(self) -> None:
        """Blank lines are passed over, and are counted."""
        event, bad = read("", line(), "  ", "{", "")

        self.assertIsInstance(event, Event)
        self.assertEqual(isinstance(bad, BadLine) and bad.line, 4)

    def test_line_ends_of_windows(self) -> None:
        """Lines may end as they do on Windows."""
        events = read(line(id="1") + "\r", line(id="2") + "\r")

        self.assertEqual(
            [event.key for event in events if isinstance(event, Event)], ["/desk 1", "/desk 2"]
        )

    def test_after_a_bad_line(self) -> None:
        """A bad line does not keep the next one from being read."""
        bad, good = read("nonsense", line())

        self.assertIsInstance(bad, BadLine)
        self.assertIsInstance(good, Event)

    def reason(self, text: str) -> str:
        """Read a bad line and give the reason."""
        (bad,) = read(text)
        assert isinstance(bad, BadLine), bad
        return bad.reason

    def test_not_json(self) -> None:
        """What is not JSON is a bad line; NaN is not JSON, nor is nesting without end."""
        for text in ("{", "{'a': 1}", '{"a": NaN}', "[" * 100_000):
            self.assertIn("not JSON", self.reason(text))

    def test_no_object(self) -> None:
        """JSON that is no object is a bad line."""
        for text in ("[]", "1", "null", '"text"'):
            self.assertIn("no object", self.reason(text))

    def test_missing_attributes(self) -> None:
        """A line without what a CloudEvent needs is a bad line, also where the SDK fills it in."""
        for name in ("specversion", "id", "source", "type"):
            self.assertIn(f"no {name!r}", self.reason(line(**{name: ...})))

    def test_wrong_attributes(self) -> None:
        """A line whose attributes are wrong is a bad line that names the attribute."""
        wrong = {
            "specversion": "0.3",
            "id": 7,
            "time": "noon",
            "subject": "",
            "dataschema": 5,
            "Upper": "x",
            "data_base64": "?",
        }
        for name, value in wrong.items():
            self.assertIn(repr(name), self.reason(line(**{name: value})))

    def test_time_without_offset(self) -> None:
        """A time without an offset is taken as UTC."""
        (event,) = read(line(time="2024-05-06T12:00:00"))

        self.assertEqual(
            isinstance(event, Event) and event.time, datetime(2024, 5, 6, 12, tzinfo=timezone.utc)
        )

    def test_endless_line(self) -> None:
        """A line that is too long is a bad line, and says what the format wants."""
        self.assertIn("one event on each line", self.reason('{"a": "' + "x" * LONGEST_LINE + '"}'))

    def test_nothing_to_check(self) -> None:
        """The check of the whole passes the text on as it is."""
        self.assertEqual(list(checked_jsonl(["a", "b"], "a log")), ["a", "b"])
