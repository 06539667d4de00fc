"""The commands that look into configurations of trigger sessions."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.cli.commands import command

RUN = 'run = "twisted_dispatcher.testing.tasks:PassThruTask"\n'


class WorkflowCommandTests(SynchronousTestCase):
    """Commands on a file."""

    def written(self, text: str) -> str:
        """Write a configuration, and give its path."""
        path = Path(self.mktemp() + ".toml")
        path.write_text(text, encoding="utf-8")
        return str(path)

    def run_command(self, *arguments: str, status: int = 0) -> str:
        """Run a command that ends with a status, and give all that it writes."""
        result = CliRunner().invoke(command, arguments)
        self.assertEqual(result.exit_code, status, result.output)
        return result.output

    def test_nothing_found(self) -> None:
        """Of a configuration in order its tasks are counted."""
        path = self.written(f"[t]\nafter = ['a']\n{RUN}[u]\nafter = ['t']\n{RUN}")

        said = self.run_command("check", path)

        self.assertEqual(said, f"{path}: nothing is wrong with its 2 tasks\n")

    def test_odd(self) -> None:
        """What is odd is told, and the status says so."""
        path = self.written(f"[t]\nafter = ['frist']\n{RUN}")

        said = self.run_command("check", path, "--trigger", "first", status=1)

        self.assertIn(f"{path}: nobody fires frist, which is named by t: did you mean", said)

    def test_wrong(self) -> None:
        """What is wrong is told with its line, code that cannot be imported among it."""
        path = self.written("[t]\nafter = 'a'\nrun = 'no.such.module:task'\n")

        said = self.run_command("check", path, status=1)

        self.assertIn(f"{path}:2: task 't': 'after' is a list", said)
        self.assertIn(f"{path}:3: task 't': 'run': 'no.such.module:task' cannot be", said)

    def test_without_code(self) -> None:
        """Where the code is not installed, the rest can be checked."""
        path = self.written("[t]\nafter = ['a']\nrun = 'no.such.module:task'\n")

        self.run_command("check", path, "--without-code")

    def test_graph(self) -> None:
        """A configuration is drawn without its code."""
        path = self.written("[t]\nafter = ['a']\nrun = 'no.such.module:task'\n")

        said = self.run_command("graph", path)

        self.assertTrue(said.startswith("flowchart LR\n"), said)
        self.assertIn("trigger0 --> task0\n", said)

    def test_graph_of_what_is_wrong(self) -> None:
        """What is wrong is not drawn."""
        said = self.run_command("graph", self.written("[t]\nafter = 1\n"), status=1)

        self.assertIn("cannot be used until this is mended", said)

    def test_no_file(self) -> None:
        """A file that is not there is no command."""
        self.run_command("check", "nowhere.toml", status=2)
