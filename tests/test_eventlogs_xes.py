"""Reading IEEE XES."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.errors import (
    DamagedLog,
    EventLogError,
    TruncatedLog,
    UnknownLogFormat,
    UnsafeLog,
)
from twisted_dispatcher.eventlogs.lines import BadLine
from twisted_dispatcher.eventlogs.xes import checked_xes, read_xes
from twisted_dispatcher.events import Event

NAME = '<string key="concept:name" value="Closed"/>'


def read(text: str) -> list[Event | BadLine]:
    """Read a document, which comes in small pieces."""
    return list(read_xes([text[at : at + 7] for at in range(0, len(text), 7)], "a log"))


def read_event(attributes: str, trace: str = "") -> Any:
    """Read a log of one event."""
    (item,) = read(f"<log><trace>{trace}<event>{NAME}{attributes}</event></trace></log>")
    return item


class ReadXesTests(SynchronousTestCase):
    """Elements and the events that they make."""

    def test_event(self) -> None:
        """An event has its own attributes and, after case:, those of its trace."""
        event = read_event(
            '<date key="time:timestamp" value="2024-05-06T12:00:00.000Z"/>'
            '<string key="org:resource" value="Ada &amp; Co"/>',
            trace='<string key="concept:name" value="Case 1"/>',
        )

        noon = datetime(2024, 5, 6, 12, tzinfo=timezone.utc)
        self.assertEqual(event.type, "Closed")
        self.assertEqual(event.time, noon)
        self.assertEqual(
            event.context,
            {
                "concept:name": "Closed",
                "time:timestamp": noon,
                "org:resource": "Ada & Co",
                "case:concept:name": "Case 1",
            },
        )

    def test_types(self) -> None:
        """A value has the type that its tag says."""
        event = read_event(
            '<int key="i" value="-3"/><float key="f" value="1.5"/><id key="u" value="7f"/>'
            '<boolean key="t" value="true"/><boolean key="n" value="FALSE"/>'
        )

        self.assertEqual(
            {name: event[name] for name in "ifutn"},
            {"i": -3, "f": 1.5, "u": "7f", "t": True, "n": False},
        )

    def test_groups(self) -> None:
        """A list becomes a list of its values, a container a dict, one in the other too."""
        event = read_event(
            '<list key="l"><values><int key="x" value="1"/><int key="x" value="2"/>'
            '<container key="c"><int key="d" value="3"/></container></values></list>'
            '<container key="c"><int key="a" value="1"/><list key="b"/></container>'
            '<int key="after" value="9"/>'
        )

        self.assertEqual(event["l"], [1, 2, {"d": 3}])
        self.assertEqual(event["c"], {"a": 1, "b": []})
        self.assertEqual(event["after"], 9)

    def test_attributes_of_attributes(self) -> None:
        """An attribute of an attribute stands beside it, behind its name."""
        event = read_event(
            '<string key="a" value="1"><int key="b" value="2">'
            '<int key="c" value="3"/></int></string>'
            '<int key="d" value="4"/>'
        )

        self.assertEqual(
            {name: event[name] for name in ("a", "a/b", "a/b/c", "d")},
            {"a": "1", "a/b": 2, "a/b/c": 3, "d": 4},
        )

    def test_key_and_source(self) -> None:
        """An event's identity is its key, and the log's name its source."""
        (event,) = read(
            '<log><string key="concept:name" value="Desk"/><event>'
            f'{NAME}<id key="identity:id" value="7f"/></event></log>'
        )

        self.assertIsInstance(event, Event)
        assert isinstance(event, Event)
        self.assertEqual((event.key, event.source), ("7f", "Desk"))

    def test_not_of_the_event(self) -> None:
        """Defaults, classifiers and extensions make neither events nor attributes."""
        (event,) = read(
            '<log><extension name="Concept" prefix="concept" uri="x"/>'
            '<global scope="event"><string key="g" value="1"/></global>'
            '<classifier name="Activity" keys="concept:name"/><string key="origin" value="csv"/>'
            f"<trace><event>{NAME}</event></trace></log>"
        )

        self.assertEqual(isinstance(event, Event) and event.context, {"concept:name": "Closed"})

    def test_trace_by_trace(self) -> None:
        """The attributes of a trace are not those of the next one."""
        trace = '<trace><string key="{0}" value="1"/><event>' + NAME + "</event></trace>"
        one, other = read("<log>" + trace.format("a") + trace.format("b") + "</log>")

        assert isinstance(one, Event) and isinstance(other, Event)
        self.assertEqual(set(one.context), {"concept:name", "case:a"})
        self.assertEqual(set(other.context), {"concept:name", "case:b"})

    def test_namespaces(self) -> None:
        """Elements may have the prefix of a namespace."""
        (event,) = read(
            '<x:log xmlns:x="http://www.xes-standard.org/"><x:trace><x:event>'
            '<x:string key="concept:name" value="Closed"/></x:event></x:trace></x:log>'
        )

        self.assertEqual(isinstance(event, Event) and event.type, "Closed")

    def test_no_events(self) -> None:
        """A log without traces has no events."""
        self.assertEqual(read("<log/>"), [])

    def test_nameless(self) -> None:
        """An event without a name is a bad line, where it begins, and the next one is read."""
        bad, good = read(
            f'<log>\n<trace>\n<event>\n<int key="n" value="1"/>\n</event>\n<event>{NAME}</event>'
            "</trace></log>"
        )

        self.assertEqual(bad, BadLine(3, "the event has no 'concept:name'"))
        self.assertIsInstance(good, Event)

    def test_faulty_attributes(self) -> None:
        """An event with an attribute that is wrong is a bad line, where the attribute is."""
        wrong = {
            '<int key="n" value="x"/>': "'n' is 'x', which is no int",
            '<date key="n" value="noon"/>': "'n' is 'noon', which is no date",
            '<boolean key="n" value="2"/>': "'n' is '2', which is no boolean",
            '<string key="n"/>': "'n' has no value",
            '<string value="n"/>': "has no key",
            '<string key="n" value=""/><string key="n" value=""/>': "'n' is there twice",
        }
        for attributes, reason in wrong.items():
            bad = read_event("\n" + attributes + '<int key="ok" value="1"/>')
            self.assertIsInstance(bad, BadLine)
            self.assertEqual(bad.line, 2)
            self.assertIn(reason, bad.reason)

    def test_faulty_trace(self) -> None:
        """A wrong attribute of a trace is a bad line, beside the events of the trace."""
        bad, event = read(
            '<log><trace><int key="n" value="x"><int key="m" value="1"/></int>'
            f"<event>{NAME}</event></trace></log>"
        )

        self.assertIsInstance(bad, BadLine)
        self.assertEqual(isinstance(event, Event) and event.context, {"concept:name": "Closed"})

    def test_event_in_event(self) -> None:
        """An event within an event is given once, and the outer one is a bad line."""
        inner, outer = read(f"<log><event><event>{NAME}</event></event></log>")

        self.assertIsInstance(inner, Event)
        self.assertIsInstance(outer, BadLine)


class FaultyXesTests(SynchronousTestCase):
    """Documents that are refused, by the check and by reading alike."""

    def refused(self, error: type[EventLogError], text: str) -> str:
        """See that checking and reading refuse a document, and give the message."""
        checking = self.assertRaises(error, lambda: list(checked_xes([text], "a log")))
        reading = self.assertRaises(error, read, text)
        self.assertEqual(str(checking), str(reading))
        return str(checking)

    def test_truncated(self) -> None:
        """A document that ends too early is told to be copied again, wherever it is cut."""
        whole = f"<log>\n<trace><event>{NAME}</event></trace><!-- end --><![CDATA[x]]></log>"
        for end in ("<trace", "Clo", "</event>", "<!-- e", "[x", "</lo"):
            text = whole[: whole.index(end) + len(end)]
            self.assertIn("on line 2: copy it again", self.refused(TruncatedLog, text))

    def test_given_before_the_fault(self) -> None:
        """What stands before a fault is given before the fault is raised."""
        items = read_xes([f"<log><event>{NAME}</event><event>"], "a log")

        self.assertIsInstance(next(items), Event)
        self.assertRaises(TruncatedLog, next, items)

    def test_not_well_formed(self) -> None:
        """A document that is not XML is refused, with the line."""
        for text in (
            "<log>\n</trace></log>",
            "<log>\n<a b=1/></log>",
            "<log/>\n<log/>",
            "<log>\n&x;</log>",
        ):
            self.assertIn("line 2: ", self.refused(DamagedLog, text))

    def test_entity_bomb(self) -> None:
        """Entities that would expand without end are refused before they do."""
        entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(20))
        bomb = (
            f'<?xml version="1.0"?>\n<!DOCTYPE log [<!ENTITY e0 "x">{entities}]><log>&e20;</log>'
        )

        self.assertIn("take the declaration out", self.refused(UnsafeLog, bomb))

    def test_external_entity(self) -> None:
        """An entity that would fetch a file is refused."""
        text = '<!DOCTYPE log [<!ENTITY e SYSTEM "file:///etc/passwd">]><log>&e;</log>'

        self.refused(UnsafeLog, text)

    def test_external_document_type(self) -> None:
        """A document type is refused, also when it has no entities."""
        self.refused(UnsafeLog, '<!DOCTYPE log SYSTEM "http://127.0.0.1/log.dtd"><log/>')

    def test_other_xml(self) -> None:
        """XML that is no log is refused before it gives anything."""
        html = f"<html><event>{NAME}</event></html>"

        self.assertIn("<html>", self.refused(UnknownLogFormat, html))
        self.assertRaises(UnknownLogFormat, next, read_xes([html], "a log"))

    def test_check_passes_the_text_on(self) -> None:
        """The check of the whole passes the text on as it is."""
        chunks = ["<log><tr", "ace/></log>"]

        self.assertEqual(list(checked_xes(chunks, "a log")), chunks)
