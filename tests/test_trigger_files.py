"""Configurations of trigger sessions in files: what is read, and how faults are told."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.properties import PATIENT
from twisted_dispatcher.errors import InvalidConfigurationFile
from twisted_dispatcher.triggers.files import load_configuration, read_configuration
from twisted_dispatcher.triggers.places import json_places, toml_places

TOML = """\
# The survey.
[t_import]
after = ["first", "last"]
run = "twisted_dispatcher.testing.tasks:PassThruTask"

[t_import.withParams.first]
source = "web"

["t alert"]
andEvery = 'page'
after = []
run = "twisted_dispatcher.testing.tasks:DevNullTask"
withParams.page.limit = 3
"""
DO = '"run": "builtins:print"'
TASKS = {
    "t_import": {
        "after": ["first", "last"],
        "run": "twisted_dispatcher.testing.tasks:PassThruTask",
        "withParams": {"first": {"source": "web"}},
    },
    "t alert": {
        "andEvery": "page",
        "after": [],
        "run": "twisted_dispatcher.testing.tasks:DevNullTask",
        "withParams": {"page": {"limit": 3}},
    },
}
NAMES = st.text(min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)


class FileTests(SynchronousTestCase):
    """Reading files."""

    def written(self, name: str, text: str | bytes) -> str:
        """Write a file into a new directory, and give its path."""
        directory = Path(self.mktemp())
        directory.mkdir()
        data = text if isinstance(text, bytes) else text.encode()
        (directory / name).write_bytes(data)
        return str(directory / name)

    def refused(self, name: str, text: str | bytes) -> tuple[str, ...]:
        """Give the faults of a file, without its path."""
        path = self.written(name, text)
        with self.assertRaises(InvalidConfigurationFile) as caught:
            load_configuration(path)
        self.assertEqual(caught.exception.path, path)
        for fault in caught.exception.faults:
            self.assertIn(path, fault)
            self.assertIn(fault, str(caught.exception))
        return tuple(fault.removeprefix(path) for fault in caught.exception.faults)

    def test_toml(self) -> None:
        """A TOML file gives the configuration that one would write in Python."""
        self.assertEqual(load_configuration(self.written("survey.toml", TOML)), TASKS)

    def test_json(self) -> None:
        """A JSON file gives the same, also as a Path, and with a byte order mark."""
        path = self.written("survey.JSON", b"\xef\xbb\xbf" + json.dumps(TASKS).encode())

        self.assertEqual(load_configuration(Path(path)), TASKS)

    def test_unknown_directives_are_kept(self) -> None:
        """Directives of one's own are read as they are."""
        path = self.written(
            "a.json", '{"t": {"after": ["a"], "run": "builtins:print", "owner": {"x": 1}}}'
        )

        self.assertEqual(load_configuration(path)["t"]["owner"], {"x": 1})

    def test_other_formats(self) -> None:
        """A file of another kind is refused with the kinds that there are, and not opened."""
        with self.assertRaises(InvalidConfigurationFile) as caught:
            load_configuration("nowhere/survey.yaml")

        self.assertIn("must end in .json or .toml", str(caught.exception))

    def test_missing(self) -> None:
        """A file that is not there is the system's own error, which names it."""
        with self.assertRaises(FileNotFoundError) as caught:
            load_configuration("nowhere/survey.toml")

        self.assertIn("nowhere/survey.toml", str(caught.exception))

    def test_broken_json(self) -> None:
        """Text that is no JSON is refused with line and column."""
        (fault,) = self.refused("a.json", '{"t":\n  {"after": ["a",]}}')

        self.assertTrue(fault.startswith(":2:"), fault)

    def test_broken_toml(self) -> None:
        """Text that is no TOML is refused with line and column, and so is a second table."""
        (broken,) = self.refused("a.toml", "[t]\nafter = [a]\n")
        (twice,) = self.refused("a.toml", "[t]\nrun = 'a'\n\n[t]\nrun = 'b'\n")

        self.assertTrue(broken.startswith(":2:"), broken)
        self.assertTrue(twice.startswith(":4:"), twice)

    def test_twice_in_json(self) -> None:
        """What stands twice in JSON, so that one of the two would be lost, is refused."""
        text = f'{{"t": {{"after": [], {DO},\n{DO}}},\n"u": {{}},\n"u": {{{DO}}}}}'
        faults = self.refused("a.json", text)

        self.assertEqual(
            faults,
            (
                ":2: t.run stands here twice: remove one",
                ":4: u stands here twice: remove one",
                ":4: task 'u': 'after' is missing",
            ),
        )

    def test_no_directives(self) -> None:
        """Tasks that have a value in the place of directives are refused, all at once."""
        faults = self.refused("a.toml", 't = ["a"]\nu = 1\n')

        self.assertEqual(
            faults,
            (
                ":1: task 't': the directives are a mapping, not ['a']",
                ":2: task 'u': the directives are a mapping, not 1",
            ),
        )

    def test_faults_of_directives(self) -> None:
        """What is wrong with directives is told with their lines, all of it in one error."""
        faults = self.refused(
            "a.toml",
            "[t]\nafter = 'a'\nrun = 'builtins:print'\n"
            "[u]\nandEvery = 1\nrun = 'builtins:print'\ntimeout = 0\n",
        )

        self.assertEqual(
            faults,
            (
                ":2: task 't': 'after' is a list of triggers, not a text: write ['a']",
                ":4: task 'u': 'after' is missing",
                ":5: task 'u': 'andEvery' is the name of one trigger, not 1",
                ":7: task 'u': 'timeout' is a number of seconds above 0, not 0",
            ),
        )

    def test_circles(self) -> None:
        """Tasks that would run each other for ever are refused, with a line."""
        every = "after = []\nrun = 'builtins:print'\nandEvery = "
        (fault,) = self.refused("a.toml", f"[t]\n{every}'u'\n[u]\n{every}'t'\n")

        self.assertTrue(fault.startswith(":4: 't' -> 'u' -> 't': each of"), fault)

    def test_run_and_using(self) -> None:
        """What somebody else says against a run or a using is told with its line."""
        path = self.written("a.json", '{"t": {"after": [],\n"run": "x",\n"using": "y"}}')
        with self.assertRaises(InvalidConfigurationFile) as caught:
            load_configuration(path, "'run' is no {}".format, "'using' is no {}".format)

        self.assertEqual(
            caught.exception.faults,
            (f"{path}:2: task 't': 'run' is no x", f"{path}:3: task 't': 'using' is no y"),
        )

    def test_code_that_is_not_here(self) -> None:
        """Code that cannot be imported is a fault, unless nobody wants to know."""
        text = "[t]\nafter = ['a']\nrun = 'no.such.module:task'\n"
        (fault,) = self.refused("a.toml", text)

        self.assertIn(":3: task 't': 'run': 'no.such.module:task' cannot be imported", fault)
        load_configuration(self.written("a.toml", text), None)

    def test_no_object(self) -> None:
        """A JSON text that is no object is refused."""
        (fault,) = self.refused("a.json", "[1]")

        self.assertIn("this is no object", fault)

    def test_no_utf8(self) -> None:
        """Bytes that are no UTF-8 are refused, with their line."""
        (fault,) = self.refused("a.toml", b"[t]\nrun = 'caf\xe9'\n")

        self.assertTrue(fault.startswith(":2: this is not UTF-8"), fault)

    def test_no_numbers(self) -> None:
        """What Python's parser takes for JSON and is none is refused."""
        (fault,) = self.refused("a.json", '{"t": {"withParams": {"a": {"b": NaN}}}}')

        self.assertIn("NaN is no value of JSON", fault)

    def test_nested_too_deeply(self) -> None:
        """A text that is nested without measure is refused, not a crash."""
        (fault,) = self.refused("a.json", '{"t":' * 200_000)

        self.assertIn("nested too deeply", fault)

    def test_without_tomli(self) -> None:
        """Where nothing parses TOML, the error says what to install."""
        with mock.patch.dict(sys.modules, {"tomllib": None, "tomli": None}):
            (fault,) = self.refused("a.toml", TOML)

        self.assertIn("pip install twisted_dispatcher[toml]", fault)

    def test_line_of_a_fault(self) -> None:
        """A fault is given the line of its directive, of its task otherwise, or the file alone."""
        path = self.written("survey.toml", TOML)
        text = read_configuration(path)

        self.assertEqual(
            [
                text.fault(("t_import", "run"), "bad").removeprefix(path),
                text.fault(("t_import", "unless"), "bad").removeprefix(path),
                text.fault(("t_import", "withParams", "first"), "bad").removeprefix(path),
                text.fault(("other",), "bad").removeprefix(path),
            ],
            [":4: bad", ":2: bad", ":6: bad", ": bad"],
        )


class PlaceTests(SynchronousTestCase):
    """Where things stand in a text."""

    def test_toml(self) -> None:
        """Tasks and directives are found in headers and in front of equals signs."""
        self.assertEqual(
            dict(toml_places(TOML)),
            {
                ("t_import",): 2,
                ("t_import", "after"): 3,
                ("t_import", "run"): 4,
                ("t_import", "withParams"): 6,
                ("t alert",): 9,
                ("t alert", "andEvery"): 10,
                ("t alert", "after"): 11,
                ("t alert", "run"): 12,
                ("t alert", "withParams"): 13,
            },
        )

    @PATIENT
    @given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=2), max_size=3))
    def test_json(self, tasks: dict[str, dict[str, object]]) -> None:
        """Every task and directive of a JSON text is found, in the line in which it is written."""
        text = json.dumps(tasks, indent=1)
        lines = text.split("\n")
        found = dict(json_places(text))

        self.assertEqual(
            found.keys(),
            {(task,) for task in tasks} | {(task, name) for task in tasks for name in tasks[task]},
        )
        for place, line in found.items():
            self.assertTrue(lines[line - 1].lstrip(" ").startswith(json.dumps(place[-1])))
