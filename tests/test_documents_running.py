"""Tests that a document is really run, and that what is wrong in it is complained of."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp
from textwrap import dedent

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.documents.running import Report, run_document
from tests.documents.sessions import join_crochet

MAKEFILE = "PYTHON := python3\ntest: ## Run.\n\ttrue\n"
PROJECT = '[project.optional-dependencies]\ncli = ["click"]\n'

WAITING = """\
```python
>>> from crochet import setup, wait_for; setup()
>>> from twisted.internet import reactor, task
>>> @wait_for(timeout=5.0)
... def later(value):
...     return task.deferLater(reactor, 0, lambda: value)
>>> later("waited")
'waited'
```
"""


class Checkout:
    """A checkout made up in a new directory, whose only document is given as text."""

    def __init__(self, directory: str) -> None:
        """Make the directory, with a Makefile, a project file and examples."""
        self.path = Path(directory).absolute()
        (self.path / "examples").mkdir(parents=True)
        (self.path / "examples" / "greeting.py").write_text("print('hello')\n", "utf-8")
        (self.path / "Makefile").write_text(MAKEFILE, "utf-8")
        (self.path / "pyproject.toml").write_text(PROJECT, "utf-8")

    def run(self, text: str, name: str = "fake.md") -> Report:
        """Run the text as the checkout's document, each time in a new directory."""
        document = self.path / name
        document.write_text(dedent(text), "utf-8")
        return run_document(document, self.path, Path(mkdtemp(dir=self.path)))


class RunningTests(SynchronousTestCase):
    """What is run, and what is said of it."""

    def setUp(self) -> None:
        """Make up a checkout."""
        self.checkout = Checkout(self.mktemp())

    def assertFine(self, text: str, name: str = "fake.md") -> Report:
        """Fail if there is a complaint; give the report."""
        report = self.checkout.run(text, name)
        self.assertEqual([], report.complaints)
        return report

    def assertComplaint(self, expected: str, text: str) -> None:
        """Fail unless there is one complaint, and it has the expected text in it."""
        complaints = self.checkout.run(text).complaints
        self.assertEqual(1, len(complaints), complaints)
        self.assertIn(expected, complaints[0])

    def test_sessions_and_fragments_share_a_namespace(self) -> None:
        """What one block defines, all that follow see, functions defined earlier as well."""
        report = self.assertFine(
            """\
            ```python
            >>> def double(): return 2 * number
            ```
            ```python
            number = 2
            ```
            ```pycon
            >>> double()
            4
            >>> number = 3
            ```
            ```python
            assert double() == 6
            ```
            """
        )

        self.assertEqual(3, report.examples)

    def test_bare_prompts(self) -> None:
        """Prompts in the prose of reStructuredText are run."""
        report = self.assertFine(">>> 1 + 1\n2\n\nThen:\n\n>>> 'a' * 5\n'a...a'\n", "fake.rst")

        self.assertEqual(2, report.examples)

    def test_wrong_answer(self) -> None:
        """A session that answers otherwise is complained of with its line."""
        self.assertComplaint('"fake.md", line 3', "\n```python\n>>> 1 + 1\n3\n```\n")

    def test_failing_fragment(self) -> None:
        """A fragment that raises is complained of with its line."""
        self.assertComplaint("line 4, in <module>", "\n```python\nx = 1\nx.y\n```\n")

    def test_program(self) -> None:
        """Code with a guard is run as a program of its own, which can import the examples."""
        self.assertComplaint(
            "exit status 7, not 0; it printed:\nhello\n",
            """\
            ```python
            import sys
            import examples.greeting
            if __name__ == "__main__":
                sys.exit(7)
            ```
            """,
        )

    def test_command(self) -> None:
        """Commands are run one after the other, in a directory with the examples in it."""
        report = self.assertFine(
            """\
            ```console
            $ python -m examples.greeting > out.txt
            $ cat out.txt examples/greeting.py
            hel...
            print('hello')
            ```
            """
        )

        self.assertEqual(2, report.commands)
        self.assertFalse((self.checkout.path / "out.txt").exists())

    def test_wrong_output(self) -> None:
        """A command that prints something else is complained of with both."""
        self.assertComplaint(
            "fake.md:2: $ echo a\nshown:\nb\nprinted:\na\n", "```console\n$ echo a\nb\n```\n"
        )

    def test_failing_command(self) -> None:
        """A command that fails is complained of."""
        self.assertComplaint("exit status 1, not 0", "```console\n$ false\n```\n")

    def test_declared_failure(self) -> None:
        """A command may fail as its document says, and only so."""
        self.assertFine("<!-- exit status: 3 -->\n```console\n$ exit 3\n```\n")
        self.assertComplaint(
            "exit status 0, not 3", "<!-- exit status: 3 -->\n```console\n$ true\n```\n"
        )

    def test_saved_file(self) -> None:
        """A marked block is saved under its name for the commands below."""
        self.assertFine(
            """\
            <!-- file: app.py -->
            ```python
            print("saved")
            ```
            ```console
            $ python -m app
            saved
            ```
            """
        )

    def test_saved_for_nothing(self) -> None:
        """A saved block that no command uses is complained of, for it was not executed."""
        self.assertComplaint(
            "no command below uses the file 'app.py'",
            "<!-- file: app.py -->\n```python\n1\n```\n",
        )

    def test_commands_that_set_up(self) -> None:
        """Commands that install or fetch are not run."""
        self.assertFine(
            """\
            ```console
            $ git clone https://example.invalid/project
            $ cd project
            $ python3 -m venv .venv
            $ . .venv/bin/activate
            $ pip install 'twisted_dispatcher[cli]'
            $ make PYTHON=python3.12 -s test
            ```
            """
        )

    def test_unknown_target(self) -> None:
        """A make target that the Makefile does not have is complained of."""
        self.assertComplaint("no target 'tset'", "```console\n$ make tset\n```\n")
        self.assertComplaint("no target 'PYTHON'", "```console\n$ make PYTHON\n```\n")

    def test_unknown_extra(self) -> None:
        """An extra that the project does not have is complained of."""
        self.assertComplaint(
            "no extra 'gui'", "```console\n$ python -m pip install -e '.[cli,gui]'\n```\n"
        )

    def test_data(self) -> None:
        """Data is parsed, and complained of if it cannot be."""
        self.assertFine('```json\n{"a": 1}\n```\n```text\n{\n```\n')
        self.assertComplaint("fake.md:2: this is not json", "```json\n{\n```\n")

    def test_refused_languages(self) -> None:
        """Blocks of no language, of an unknown one, or of commands without prompts are refused."""
        self.assertComplaint("a block names its language", "```\nx\n```\n")
        self.assertComplaint("should it be 'text'?", "```cobol\nx\n```\n")
        self.assertComplaint("use 'console'", "```bash\nls\n```\n")

    def test_unreadable(self) -> None:
        """A document with an open fence is complained of, not passed over."""
        self.assertComplaint("line 1 is never closed", "```python\n>>> 1\n1\n")


class CrochetTests(TestCase):
    """Sessions that wait, while trial's own reactor runs."""

    def test_waiting_session(self) -> Deferred[None]:
        """A session under crochet reaches the reactor that runs the tests."""
        join_crochet()
        checkout = Checkout(self.mktemp())

        running = deferToThread(checkout.run, WAITING)

        return running.addCallback(self.assertEqual, Report([], 4, 0))
