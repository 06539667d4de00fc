"""Runs a whole document, block by block, as its reader would."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from attrs import Factory, define, frozen

from tests.documents.blocks import Block, UnreadableDocument, blocks_of
from tests.documents.console import Command, Terminal, commands_of
from tests.documents.data import PARSERS, TEXT
from tests.documents.sessions import Interpreter, is_program

_NOT_EXECUTABLE = "use 'console', with '$ ' before each command, so that it is run"
_REFUSED = {
    "": "a block names its language; one that nothing can be done with is 'text'",
    "bash": _NOT_EXECUTABLE,
    "sh": _NOT_EXECUTABLE,
    "shell": _NOT_EXECUTABLE,
}


@frozen
class Report:
    """What became of a document: complaints, and how many prompts and commands were run."""

    complaints: list[str]
    examples: int
    commands: int


def run_document(document: Path, checkout: Path, directory: Path) -> Report:
    """Run every block of the document; its commands run in the directory, which is still empty."""
    name = document.relative_to(checkout).as_posix()
    examples = checkout / "examples"
    if examples.is_dir():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(examples, directory / "examples", ignore=ignored)
    reading = _Reading(name, Interpreter(name), Terminal(checkout, directory, name))
    try:
        blocks = blocks_of(name, document.read_text(encoding="utf-8"))
    except UnreadableDocument as error:
        return Report([f"{name}: {error}"], 0, 0)
    complaints = [complaint for block in blocks for complaint in reading.run(block)]
    complaints.extend(reading.complaints_at_the_end())
    return Report(complaints, reading.interpreter.examples, len(reading.commands))


@define
class _Reading:
    """A document being run: what was defined, saved and typed so far."""

    document: str
    interpreter: Interpreter
    terminal: Terminal
    saved: dict[str, int] = Factory(dict)
    commands: list[Command] = Factory(list)

    def run(self, block: Block) -> Iterator[str]:
        if "file" in block.marks:
            self._save(block, block.marks["file"])
            return self._parse(block)
        return _RUNNERS.get(block.language, _Reading._parse)(self, block)

    def _save(self, block: Block, name: str) -> None:
        path = self.terminal.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, "utf-8")
        self.saved[name] = block.line

    def complaints_at_the_end(self) -> Iterator[str]:
        """Complain of files that were shown and saved, and whose program no command runs.

        A file in a directory is used where the directory is named, as a package is.
        """
        typed = " ".join(command.text for command in self.commands)
        for name, line in self.saved.items():
            if not any(Path(part).stem in typed for part in Path(name).parts):
                yield f"{self.document}:{line}: no command below uses the file {name!r}"

    def _parse(self, block: Block) -> Iterator[str]:
        place = f"{self.document}:{block.line}"
        if block.language in PARSERS:
            try:
                PARSERS[block.language](block.text)
            except Exception as error:
                yield f"{place}: this is not {block.language}: {error}"
        elif block.language not in TEXT and block.language not in _RUNNERS:
            unknown = f"nothing here can run or parse {block.language!r}; should it be 'text'?"
            yield f"{place}: {_REFUSED.get(block.language, unknown)}"

    def _run_python(self, block: Block) -> Iterator[str]:
        if block.is_session:
            yield from self.interpreter.run_session(block)
        elif is_program(block):
            yield from self._run_program(block)
        else:
            yield from self.interpreter.run_fragment(block)

    def _run_program(self, block: Block) -> Iterator[str]:
        """Run code that is a file of its own in an interpreter of its own."""
        name = f"program_in_line_{block.line}.py"
        (self.terminal.directory / name).write_text(block.text, "utf-8")
        command = f"{shlex.quote(sys.executable)} {name}"
        yield from self.terminal.run(Command(command, block.line))

    def _run_console(self, block: Block) -> Iterator[str]:
        exit_status = int(block.marks.get("exit status", "0"))
        try:
            commands = commands_of(block)
        except ValueError as error:
            yield f"{self.document}: {error}"
            return
        self.commands.extend(commands)
        for command in commands:
            yield from self.terminal.run(command, exit_status)


_RUNNERS: Mapping[str, Callable[[_Reading, Block], Iterator[str]]] = {
    "console": _Reading._run_console,
    "pycon": _Reading._run_python,
    "python": _Reading._run_python,
}
