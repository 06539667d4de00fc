"""Reading CSV."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.errors import UnknownLogFormat
from twisted_dispatcher.eventlogs.lines import BadLine
from twisted_dispatcher.eventlogs.tables import checked_csv, read_csv
from twisted_dispatcher.events import Event


def read(text: str) -> list[Event | BadLine]:
    """Read a table, which comes in small pieces."""
    return list(read_csv([text[at : at + 7] for at in range(0, len(text), 7)], "a log"))


def events(text: str) -> list[Event]:
    """Read a table that is all good."""
    items = read(text)
    assert all(isinstance(item, Event) for item in items), items
    return [item for item in items if isinstance(item, Event)]


class ReadCsvTests(SynchronousTestCase):
    """Rows and the events on them."""

    def test_event(self) -> None:
        """The header names the attributes, all of which are in the context as text."""
        (event,) = events(
            "case:concept:name,concept:name,time:timestamp,n\n"
            "Case 1,Closed,2011-10-11 13:45:40.276000+02:00,5\n"
        )

        self.assertEqual(event.type, "Closed")
        self.assertEqual(
            event.time,
            datetime(2011, 10, 11, 13, 45, 40, 276000, timezone(timedelta(hours=2))),
        )
        self.assertEqual(
            event.context,
            {
                "case:concept:name": "Case 1",
                "concept:name": "Closed",
                "time:timestamp": "2011-10-11 13:45:40.276000+02:00",
                "n": "5",
            },
        )

    def test_column_of_the_name(self) -> None:
        """The name is in concept:name, or else in activity, type or event, in any case."""
        tables = {
            "Activity,type\na,t\n": "a",
            "event,TYPE\ne,t\n": "t",
            "x,Event\n1,e\n": "e",
            "activity,concept:name\na,c\n": "c",
        }

        self.assertEqual({table: events(table)[0].type for table in tables}, tables)

    def test_column_of_the_time(self) -> None:
        """The time is in time:timestamp, timestamp or time, if it can be read."""
        tables = {
            "type,Timestamp\na,2024-05-06\n": datetime(2024, 5, 6, tzinfo=timezone.utc),
            "type,time\na,noon\n": None,
            "type,when\na,2024-05-06\n": None,
        }

        self.assertEqual({table: events(table)[0].time for table in tables}, tables)

    def test_delimiters(self) -> None:
        """Semicolons, tabs and bars separate columns as well as commas do."""
        for delimiter in ";\t|,":
            (event,) = events(f"type{delimiter}n\na{delimiter}1\n")
            self.assertEqual(event.context, {"type": "a", "n": "1"})

    def test_quotes(self) -> None:
        """A value in quotes may hold delimiters, quotes and line ends."""
        (event,) = events('type,n\na,"1, ""2""\n3"\n')

        self.assertEqual(event["n"], '1, "2"\n3')

    def test_line_ends_of_windows(self) -> None:
        """Lines may end as they do on Windows."""
        self.assertEqual([event["n"] for event in events("type,n\r\na,1\r\nb,2\r\n")], ["1", "2"])

    def test_blank_lines(self) -> None:
        """Blank lines between rows are passed over."""
        self.assertEqual(len(events("type\na\n\nb\n")), 2)

    def test_no_rows(self) -> None:
        """A table of a header alone has no events."""
        self.assertEqual(read("type,n\n"), [])

    def test_wrong_number_of_columns(self) -> None:
        """A row that is too short or too long is a bad line, and the next one is read."""
        short, long, good = read("type,n\na\nb,1,2\nc,3\n")

        self.assertEqual(short, BadLine(2, "it has 1 columns where the header has 2"))
        self.assertEqual(long, BadLine(3, "it has 3 columns where the header has 2"))
        self.assertIsInstance(good, Event)

    def test_nameless(self) -> None:
        """A row with nothing in the column of the name is a bad line."""
        self.assertEqual(
            read("n,type\n1,\n"), [BadLine(2, "it has nothing in 'type', the event's name")]
        )

    def test_line_after_a_long_row(self) -> None:
        """Lines are counted, not rows: each row is told by the line where it begins."""
        _, bad = read('type,n\na,"1\n2\n3"\nb\n')

        self.assertEqual(isinstance(bad, BadLine) and bad.line, 5)

    def test_open_quotes(self) -> None:
        """Quotes that are never closed are a bad line that says how far they went."""
        good, bad = read('type,n\na,1\nb,"2\nc,3\nd,4\n')

        self.assertIsInstance(good, Event)
        assert isinstance(bad, BadLine)
        self.assertEqual(bad.line, 3)
        self.assertIn("up to line 5", bad.reason)

    def test_misplaced_quotes(self) -> None:
        """A row with something behind its closing quotes is a bad line."""
        bad, good = read('type,n\na,"1"2\nb,1\n')

        self.assertEqual(isinstance(bad, BadLine) and bad.line, 2)
        self.assertIsInstance(good, Event)

    def test_no_column_of_the_name(self) -> None:
        """A table that does not name its events is refused, with its columns and the cure."""
        for read_or_check in (read_csv, checked_csv):
            error = self.assertRaises(
                UnknownLogFormat, next, read_or_check(["case,n\na,1\n"], "a log")
            )
            self.assertIn("'case', 'n'", str(error))
            self.assertIn("concept:name", str(error))

    def test_columns_of_one_name(self) -> None:
        """A table with two columns of one name is refused, since one would hide the other."""
        error = self.assertRaises(UnknownLogFormat, read, "type,n,n\na,1,2\n")

        self.assertIn("the name 'n'", str(error))

    def test_header_that_is_none(self) -> None:
        """A table whose header row cannot be read is refused."""
        self.assertIn(
            "header row", str(self.assertRaises(UnknownLogFormat, read, '"type"x,n\na,1\n'))
        )

    def test_check_passes_the_text_on(self) -> None:
        """The check of the whole passes the text on as it is."""
        chunks = ["type,n\na,", "1\n"]

        self.assertEqual(list(checked_csv(chunks, "a log")), chunks)
