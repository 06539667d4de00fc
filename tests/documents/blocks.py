"""Reads the blocks out of a document; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from textwrap import dedent

from attrs import field, frozen

PROMPT = re.compile(r"^\s*>>> ", re.MULTILINE)

_FENCE = re.compile(r"^\s*(?P<fence>`{3,}|~{3,})\s*(?P<language>[^\s`]*)[^`]*$")
_DIRECTIVE = re.compile(r"^\s*\.\. (?:code-block|code|sourcecode)::(?P<language>.*)$")
_OPTION = re.compile(r"^\s+:[\w-]+:")
_LITERAL = re.compile(r"^(?!\s*\.\. ).*::$")
_MARK = re.compile(r"^\s*(?:<!-- |\.\. )(?P<name>file|exit status): (?P<value>.*?)(?: -->)?$")

_Lines = Iterator[tuple[int, str]]


class UnreadableDocument(Exception):
    """A document is not well formed at the line that the message names."""


@frozen
class Block:
    """A piece of a document that is not prose; `line` is that of its first line of text."""

    language: str
    text: str
    line: int
    marks: Mapping[str, str] = field(factory=dict)

    @property
    def is_session(self) -> bool:
        """Whether it shows an interpreter at work, with prompts."""
        return PROMPT.match(self.text) is not None


def blocks_of(name: str, text: str) -> list[Block]:
    """Give the blocks of the document; the end of its name says how it is written."""
    read = _READERS[name.rpartition(".")[2]]
    return list(read(text))


def _markdown(text: str) -> Iterator[Block]:
    lines = _numbered(text)
    marks: dict[str, str] = {}
    for number, line in lines:
        if opening := _FENCE.match(line):
            body = _until_closed(lines, opening["fence"], number)
            yield Block(opening["language"], body, number + 1, marks)
        marks = _marks_after(line, marks)


def _until_closed(lines: _Lines, fence: str, opened_at: int) -> str:
    closing = re.compile(rf"^\s*{fence}{fence[0]}*\s*$")
    body: list[str] = []
    for _, line in lines:
        if closing.match(line):
            return _unindented(body)
        body.append(line)
    raise UnreadableDocument(f"the fence that opens in line {opened_at} is never closed")


def _restructured(text: str) -> Iterator[Block]:
    source = text.splitlines()
    marks: dict[str, str] = {}
    number = 0
    while number < len(source):
        line = source[number]
        block, number = _block_at(source, number, marks)
        if block is not None:
            yield block
        marks = _marks_after(line, marks)


def _block_at(
    source: list[str], number: int, marks: Mapping[str, str]
) -> tuple[Block | None, int]:
    """Give the block that begins in this line, if one does, and the line to go on with."""
    line = source[number]
    if directive := _DIRECTIVE.match(line):
        begin, end = _body_below(source, number)
        language = directive["language"].strip()
    elif PROMPT.match(line):
        begin, end = number, _first(source, number, lambda each: not each.strip())
        language = "pycon"
    elif _LITERAL.match(line):
        begin, end = _body_below(source, number)
        language = ""
    else:
        return None, number + 1
    if begin == end:
        return None, number + 1
    return Block(language, _unindented(source[begin:end]), begin + 1, marks), end


def _body_below(source: list[str], head: int) -> tuple[int, int]:
    """Give where the text that is indented below a line, after any options, begins and ends."""
    begin = _first(source, head + 1, lambda each: not _OPTION.match(each))
    begin = _first(source, begin, lambda each: bool(each.strip()))
    margin = _indent(source[head])
    end = _first(source, begin, lambda each: bool(each.strip()) and _indent(each) <= margin)
    while end > begin and not source[end - 1].strip():
        end -= 1
    return begin, end


def _first(source: list[str], start: int, fits: Callable[[str], bool]) -> int:
    found = (number for number in range(start, len(source)) if fits(source[number]))
    return next(found, len(source))


def _marks_after(line: str, marks: dict[str, str]) -> dict[str, str]:
    """Give the marks that hold for a block below this line: those of the comments just above."""
    if mark := _MARK.match(line):
        return {**marks, mark["name"]: mark["value"]}
    return {} if line.strip() else marks


def _numbered(text: str) -> _Lines:
    return iter(enumerate(text.splitlines(), start=1))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _unindented(lines: list[str]) -> str:
    return dedent("\n".join(lines) + "\n")


_READERS: Mapping[str, Callable[[str], Iterator[Block]]] = {
    "md": _markdown,
    "rst": _restructured,
}
