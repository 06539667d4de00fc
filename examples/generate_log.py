"""
Write the event log of a help desk that does not exist.

    python -m examples.generate_log helpdesk.xes.gz --tickets 1000 --seed 1

The end of the name says the format: ``.xes``, ``.csv`` or ``.jsonl`` (CloudEvents), with
``.gz`` behind it to have it packed. The same numbers give the same log, byte for byte.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final, TextIO
from xml.sax.saxutils import quoteattr

import attrs

from twisted_dispatcher.events import Event

CASE: Final = "case:concept:name"
OPENING: Final = datetime(2024, 1, 8, 8, tzinfo=timezone.utc)
OPENING_HOURS: Final = (8, 18)
START, END = "start", "end"

# What follows what, how often of a hundred times, and after how many working hours.
NEXT: Final[dict[str, list[tuple[str, float, float]]]] = {
    START: [
        ("Assign seriousness", 95, 0),
        ("Insert ticket", 3, 0),
        ("Take in charge ticket", 2, 0),
    ],
    "Insert ticket": [("Assign seriousness", 96, 1), ("Wait", 4, 1)],
    "Assign seriousness": [
        ("Take in charge ticket", 84, 3),
        ("Assign seriousness", 9, 2),
        ("Resolve ticket", 5, 4),
        ("Wait", 2, 4),
    ],
    "Take in charge ticket": [
        ("Resolve ticket", 68, 12),
        ("Wait", 25, 8),
        ("Take in charge ticket", 3, 6),
        ("Require upgrade", 2, 20),
        ("Create SW anomaly", 2, 16),
    ],
    "Wait": [("Resolve ticket", 53, 30), ("Take in charge ticket", 38, 24), ("Wait", 9, 20)],
    "Require upgrade": [("Resolve ticket", 75, 60), ("Wait", 25, 20)],
    "Create SW anomaly": [("Resolve ticket", 60, 80), ("Resolve SW anomaly", 40, 60)],
    "Resolve SW anomaly": [("Resolve ticket", 100, 10)],
    "Resolve ticket": [
        ("Closed", 92, 100),
        ("Resolve ticket", 5, 10),
        ("Take in charge ticket", 3, 20),
    ],
    "Closed": [(END, 98, 0), ("Take in charge ticket", 2, 50)],
}
RESOURCES: Final = ("Ada", "Bruno", "Chiara", "Dario", "Elena", "Fabio", "Gaia", "Hugo")
PRODUCTS: Final = ("Invoices", "Payroll", "Stock", "Portal")
WORKGROUPS: Final = ("First line", "Second line", "Development")
SERIOUSNESS: Final = ("low", "medium", "high", "critical")


@attrs.frozen
class Ticket:
    """One ticket: its name, and what happened to it, in order."""

    name: str
    events: list[dict[str, str]]


def tickets(count: int, seed: int) -> Iterator[Ticket]:
    """Make up tickets, the same ones for the same numbers."""
    chance = random.Random(seed)
    opened = OPENING
    for number in range(1, count + 1):
        opened = working_hours_after(opened, chance.expovariate(1 / 2))
        yield Ticket(f"Case {number}", list(_life_of_a_ticket(chance, opened)))


def _life_of_a_ticket(chance: random.Random, time: datetime) -> Iterator[dict[str, str]]:
    attributes = {
        "customer": f"Customer {1 + int(chance.expovariate(1 / 20))}",
        "product": chance.choice(PRODUCTS),
        "seriousness": chance.choices(SERIOUSNESS, (56, 37, 5, 2))[0],
        "workgroup": chance.choices(WORKGROUPS, (85, 12, 3))[0],
    }
    activity, hours = _next(chance, START)
    while activity != END:
        # What is critical does not wait for the morning.
        critical = attributes["seriousness"] == "critical"
        time = hours_after(time, hours) if critical else working_hours_after(time, hours)
        yield {
            "concept:name": activity,
            "org:resource": chance.choice(RESOURCES),
            "time:timestamp": time.isoformat(),
            **attributes,
        }
        if activity == "Assign seriousness" and chance.random() < 0.1:
            attributes["seriousness"] = chance.choice(SERIOUSNESS)
        activity, hours = _next(chance, activity)


def _next(chance: random.Random, activity: str) -> tuple[str, float]:
    ways = NEXT[activity]
    name, _, mean = chance.choices(ways, [weight for _, weight, _ in ways])[0]
    return name, chance.expovariate(1 / mean) if mean else 0.0


def hours_after(time: datetime, hours: float) -> datetime:
    """Give the time so many hours later, to the second."""
    return time + timedelta(seconds=round(hours * 3600))


def working_hours_after(time: datetime, hours: float) -> datetime:
    """Give the time so many hours later, not counting nights and week-ends."""
    left = timedelta(seconds=round(hours * 3600))
    while True:
        opens, closes = (time.replace(hour=hour, minute=0, second=0) for hour in OPENING_HOURS)
        if time.weekday() < 5 and time < closes:
            time = max(time, opens)
            if time + left < closes:
                return time + left
            left -= closes - time
        time = opens + timedelta(days=1)


def write_xes(log: Iterable[Ticket], out: TextIO) -> None:
    """Write a log in the format of IEEE 1849."""
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    out.write('<log xes.version="1849-2016" xmlns="http://www.xes-standard.org/">\n')
    out.write(_xes_attribute("\t", "concept:name", "Help desk"))
    for ticket in log:
        out.write("\t<trace>\n" + _xes_attribute("\t\t", "concept:name", ticket.name))
        for event in ticket.events:
            attributes = (_xes_attribute("\t\t\t", *pair) for pair in event.items())
            out.write("\t\t<event>\n" + "".join(attributes) + "\t\t</event>\n")
        out.write("\t</trace>\n")
    out.write("</log>\n")


def _xes_attribute(indent: str, key: str, value: str) -> str:
    tag = "date" if key == "time:timestamp" else "string"
    return f"{indent}<{tag} key={quoteattr(key)} value={quoteattr(value)}/>\n"


def write_csv(log: Iterable[Ticket], out: TextIO) -> None:
    """Write a log as a table, with the ticket's name on every row."""
    rows = ({CASE: ticket.name, **event} for ticket in log for event in ticket.events)
    for number, row in enumerate(rows):
        writer = csv.DictWriter(out, row, lineterminator="\n")
        if number == 0:
            writer.writeheader()
        writer.writerow(row)


def write_jsonl(log: Iterable[Ticket], out: TextIO) -> None:
    """Write a log as CloudEvents, one on each line."""
    for ticket in log:
        for number, attributes in enumerate(ticket.events, 1):
            event = Event(
                type=attributes["concept:name"],
                key=f"{ticket.name}/{number}",
                source="/helpdesk",
                context={CASE: ticket.name, **attributes},
                time=datetime.fromisoformat(attributes["time:timestamp"]),
            )
            out.write(json.dumps(event.to_cloudevent()) + "\n")


WRITERS: Final[dict[str, Callable[[Iterable[Ticket], TextIO], None]]] = {
    ".xes": write_xes,
    ".csv": write_csv,
    ".jsonl": write_jsonl,
}


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """Open a file for text, packed if its name says so; no date gets into it."""
    with path.open("wb") as file:
        packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if path.suffix == ".gz" else file
        with io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as text:
            yield text


def writer_for(path: Path) -> Callable[[Iterable[Ticket], TextIO], None]:
    """Find the writer for a file by the end of its name."""
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix not in WRITERS:
        raise ValueError(f"{path.name} ends in none of {', '.join(WRITERS)} (with .gz or without)")
    return WRITERS[suffix]


def generate(path: Path, count: int = 1000, seed: int = 1) -> None:
    """Write the log of so many tickets into a file."""
    write = writer_for(path)
    with written(path) as out:
        write(tickets(count, seed), out)


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m examples.generate_log", description=__doc__)
    parser.add_argument("out", type=Path, help="the file to write: *.xes, *.csv, *.jsonl, or .gz")
    parser.add_argument("--tickets", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument(
        "--seed", type=int, default=1, help="another seed, another log (default 1)"
    )
    options = parser.parse_args()
    try:
        generate(options.out, options.tickets, options.seed)
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
