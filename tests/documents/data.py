"""Parses the data that documents show, where there is a parser for it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

import tomli

# Nothing can be said about these but that they are what they are.
TEXT = frozenset({"text", "mermaid"})


def parse_csv(text: str) -> list[list[str]]:
    """Parse CSV whose rows are all as long as the first."""
    rows = list(csv.reader(text.splitlines(), strict=True))
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise ValueError(f"row {number} has {len(row)} values, and the first {len(rows[0])}")
    return rows


def parse_json_lines(text: str) -> list[Any]:
    """Parse one JSON value from each line."""
    return [json.loads(line) for line in text.splitlines()]


PARSERS: Mapping[str, Callable[[str], object]] = {
    "csv": parse_csv,
    "json": json.loads,
    "jsonl": parse_json_lines,
    "toml": tomli.loads,
    "xml": ElementTree.fromstring,
}
