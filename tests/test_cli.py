"""The command `twisted-dispatcher`: what is understood, what is refused, and whole runs of it."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

import twisted_dispatcher
from examples import generate_log
from twisted_dispatcher import cli
from twisted_dispatcher.cli.application import ApplicationNotFound, load_application
from twisted_dispatcher.cli.commands import command
from twisted_dispatcher.cli.statuses import INTERRUPTED

CHECKOUT = Path(twisted_dispatcher.__file__).parents[1]
FEED = (sys.executable, "-m", "twisted_dispatcher.cli", "feed")
LIMIT = 60  # seconds, for a process that hangs

APPLICATION = """
def setup(dispatcher):
    names = []
    dispatcher.on()(lambda event: names.append(event.type))
    return lambda: " ".join(names)

def failing(dispatcher):
    @dispatcher.on()
    def fail(event):
        raise ValueError("on purpose")

def telling(dispatcher):
    @dispatcher.on()
    def tell(event):
        print(event.type, flush=True)

class Desk:
    def setup(dispatcher):
        pass

not_callable = 5
"""


class LoadApplicationTests(SynchronousTestCase):
    """Finding applications by their names."""

    def setUp(self) -> None:
        """Have a module with applications in the current directory."""
        self.module = f"application_{id(self)}"
        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / f"{self.module}.py").write_text(APPLICATION)
        (directory / f"{self.module}_broken.py").write_text("import no_such_module_at_all")
        self.patch(sys, "path", [path for path in sys.path if path != os.getcwd()])
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(directory)
        self.addCleanup(sys.modules.pop, self.module, None)

    def message(self, name: str) -> str:
        """See that there is no such application, and give the message."""
        return str(self.assertRaises(ApplicationNotFound, load_application, name))

    def test_found(self) -> None:
        """A function is found by its module, from the current directory, and its name."""
        self.assertEqual(load_application(f"{self.module}:setup").__name__, "setup")

    def test_found_inside(self) -> None:
        """What is in a class of the module is found by dots."""
        self.assertEqual(load_application(f"{self.module}:Desk.setup").__qualname__, "Desk.setup")

    def test_no_name(self) -> None:
        """A name of another form is refused with an example of the right one."""
        for name in ("", self.module, f"{self.module}:", ":setup"):
            self.assertIn("examples.helpdesk:setup", self.message(name))

    def test_no_module(self) -> None:
        """A module that is not there is named, and where to be to have it found."""
        self.assertIn("no module 'no_such'", self.message("no_such:setup"))
        self.assertIn("in the directory", self.message("no_such.module:setup"))

    def test_no_function(self) -> None:
        """A function that is not there is named, and those that are."""
        message = self.message(f"{self.module}:setpu")

        self.assertIn("no 'setpu'", message)
        self.assertIn("setup, failing", message)

    def test_no_callable(self) -> None:
        """What is no function is refused."""
        self.assertIn(
            "is of type int and not a function", self.message(f"{self.module}:not_callable")
        )

    def test_broken_module(self) -> None:
        """A module that is there but cannot import another is not said to be missing."""
        error = self.assertRaises(
            ModuleNotFoundError, load_application, f"{self.module}_broken:setup"
        )

        self.assertEqual(error.name, "no_such_module_at_all")


class RefusedTests(SynchronousTestCase):
    """What the command refuses before anything is run."""

    def setUp(self) -> None:
        """Have a directory for logs."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def log(self, data: bytes, name: str = "log.csv") -> str:
        """Write a log."""
        path = self.directory / name
        path.write_bytes(data)
        return str(path)

    def feed(self, *arguments: str) -> Result:
        """Give the command arguments, in this process."""
        return CliRunner().invoke(command, ["feed", *arguments])

    def refused(self, status: int, *arguments: str) -> str:
        """See that the command ends with a status, and give what it says."""
        result = self.feed(*arguments)
        self.assertEqual(result.exit_code, status, result.output)
        self.assertNotIn("Traceback", result.output)
        return " ".join(result.output.split())

    def test_log_at_fault(self) -> None:
        """A log that is at fault as a whole is refused with what is wrong and what helps."""
        app = ("--app", "examples.helpdesk:setup")
        packed = gzip.compress(b"type\n" + os.urandom(9999).hex().encode())
        logs = {
            self.log(packed[:5000], "cut.csv.gz"): "copy it again",
            self.log(b"type\nx\n", "plain.csv.gz"): "rename it",
            self.log(b"type\nperch\xe8\n", "latin.csv"): "--encoding",
            self.log(b"", "empty.jsonl"): "it is empty",
            self.log(b"something\n", "log.txt"): "--format",
            self.log(b"n\n1\n", "nameless.csv"): "name one of them concept:name",
            self.log(b"<log><trace>", "cut.xes"): "ends in the middle of its XML",
            self.log(b"<html/>", "page.xes"): "begins with <html>",
            self.log(
                b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><log>&b;</log>', "bomb.xes"
            ): "take the declaration out",
            self.log(
                b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hosts">]><log>&a;</log>', "out.xes"
            ): "take the declaration out",
        }
        for path, cure in logs.items():
            said = self.refused(1, path, *app)
            self.assertIn(f"Error: {path}: ", said)
            self.assertIn(cure, said)

    def test_no_such_encoding(self) -> None:
        """An encoding that there is not is refused."""
        path = self.log(b"type\nx\n")
        said = self.refused(1, path, "--app", "examples.helpdesk:setup", "--encoding", "klingon")

        self.assertIn("'klingon'", said)

    def test_no_log(self) -> None:
        """A log that is not there, or is a directory, is a usage error."""
        app = ("--app", "examples.helpdesk:setup")

        self.assertIn("does not exist", self.refused(2, "no_such_log", *app))
        self.assertIn("directory", self.refused(2, str(self.directory), *app))

    def test_no_application(self) -> None:
        """An application that is not given, or not there, is a usage error with the cure."""
        path = self.log(b"type\nx\n")

        self.assertIn("--app", self.refused(2, path))
        self.assertIn("MODULE:FUNCTION", self.refused(2, path, "--app", "helpdesk"))
        self.assertIn("no module 'no_such'", self.refused(2, path, "--app", "no_such:setup"))
        self.assertIn("it has", self.refused(2, path, "--app", "examples.helpdesk:no_such"))

    def test_application_that_cannot_be_imported(self) -> None:
        """An application whose import fails is told with the traceback, which is its author's."""
        name = f"broken_{id(self)}"
        (self.directory / f"{name}.py").write_text("1 / 0")
        self.patch(sys, "path", [str(self.directory), *sys.path])
        result = self.feed(self.log(b"type\nx\n"), "--app", f"{name}:setup")

        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"importing {name} failed", result.output)
        self.assertIn("ZeroDivisionError", result.output)

    def test_options(self) -> None:
        """Options that cannot be are usage errors."""
        given = (self.log(b"type\nx\n"), "--app", "examples.helpdesk:setup")

        self.assertIn("'xml'", self.refused(2, *given, "--format", "xml"))
        self.assertIn("given twice", self.refused(2, *given, "--phases", "a,b,a"))
        self.assertIn("--phases", self.refused(2, *given, "--phases", ""))
        self.assertIn("--concurrency", self.refused(2, *given, "--concurrency", "0"))

    def test_help(self) -> None:
        """The help says what the exit status means."""
        said = self.refused(0, "--help")

        self.assertIn("The exit status is 0 if all went well", said)


class WholeRunTests(SynchronousTestCase):
    """The command in a process of its own."""

    def setUp(self) -> None:
        """Have a directory with applications in it."""
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        (self.directory / "application.py").write_text(APPLICATION)

    def environment(self, **more: str) -> Mapping[str, str]:
        """Have this checkout's package found, and output of one width."""
        path = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
        return {**os.environ, "PYTHONPATH": path, **more}

    def run_command(
        self, *arguments: str, given: bytes | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``twisted-dispatcher feed``; what is given comes through a pipe."""
        process = subprocess.run(
            [*FEED, *arguments],
            cwd=self.directory,
            env=self.environment(),
            input=given,
            capture_output=True,
            timeout=LIMIT,
        )
        return subprocess.CompletedProcess(
            process.args, process.returncode, process.stdout.decode(), process.stderr.decode()
        )

    def test_help_desk(self) -> None:
        """The help desk follows a made-up log from beginning to end."""
        log = self.directory / "log.xes.gz"
        generate_log.generate(log, count=100)
        done = self.run_command(str(log), "--app", "examples.helpdesk:setup")

        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("     100  tickets\n", done.stdout)
        self.assertIn("HelpDesk.open_ticket", done.stdout)

    def test_pipe(self) -> None:
        """A log may come through a pipe; a bad line in it is told, and the run is well."""
        done = self.run_command(
            "-", "--app", "application:setup", given=gzip.compress(b"type,n\na,1\nb\nc,3\n")
        )

        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.startswith("a c\n"), done.stdout)
        self.assertEqual(done.stderr, "line 3: it has 1 columns where the header has 2\n")

    def test_redirected_file(self) -> None:
        """A file that is redirected to standard input is checked as any file is."""
        log = self.directory / "log.csv"
        log.write_bytes(b"type\na\nb\nperch\xe8\n")
        with log.open("rb") as given:
            done = subprocess.run(
                [*FEED, "-", "--app", "application:telling"],
                cwd=self.directory,
                env=self.environment(),
                stdin=given,
                capture_output=True,
                timeout=LIMIT,
            )

        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"standard input: line 4 is not UTF-8", done.stderr)

    def test_faulty_pipe(self) -> None:
        """What came through a pipe before a fault in it was handled, and the run has failed."""
        done = self.run_command(
            "-",
            "--app",
            "application:telling",
            given=b"type,n\na,1\n" + b"b,2\n" * 40000 + b"\xe8\n",
        )

        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stdout.startswith("a\nb\n"), done.stdout[:100])
        self.assertIn("line 40003 is not UTF-8", done.stderr)

    def test_failing_handler(self) -> None:
        """Failures of a handler are told with place and traceback, limited, and fail the run."""
        done = self.run_command(
            "-", "--app", "application:failing", given=b"type,n\n" + b"a,1\n" * 9
        )

        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("Traceback"), 3)
        self.assertIn("application.py:8", done.stderr)
        self.assertIn("ValueError: on purpose", done.stderr)
        self.assertIn("9 failures of application.failing", done.stderr)

    def test_strict(self) -> None:
        """If it is strict, the run fails at the first bad line."""
        log = self.directory / "log.csv"
        log.write_text("type,n\na,1\nb\nc,3\n")
        done = self.run_command(str(log), "--app", "application:telling", "--strict")

        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stdout.startswith("a\n "), done.stdout)
        self.assertIn("log.csv: line 3: ", done.stderr)

    def test_interrupted(self) -> None:
        """Ctrl-C ends a run that waits for a pipe, with the summary so far."""
        process = subprocess.Popen(
            [*FEED, "-", "--app", "application:telling"],
            cwd=self.directory,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # It is ignored by what is started in a shell's background, and so by its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.addCleanup(process.kill)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"type,n\na,1\n")
        process.stdin.flush()
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        # The pipe stays open: the run must not wait for it.
        process.wait(LIMIT)
        rest, errors = process.stdout.read(), process.stderr.read() if process.stderr else b""
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()

        self.assertEqual((first, process.returncode), (b"a\n", INTERRUPTED))
        self.assertIn(b"handlers called", rest)
        self.assertEqual(errors, b"interrupted\n")

    def test_without_extra(self) -> None:
        """Without the libraries of the extra, one line says what to install."""
        for library in ("click", "rich"):
            process = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    f"import sys; sys.modules[{library!r}] = None\n"
                    "from twisted_dispatcher.cli import main; main()",
                ],
                cwd=self.directory,
                env=self.environment(),
                capture_output=True,
                text=True,
                timeout=LIMIT,
            )

            self.assertEqual(process.returncode, 1)
            self.assertEqual(
                process.stderr,
                f"twisted-dispatcher: this command needs {library}, which is not installed: "
                "pip install 'twisted_dispatcher[cli]'\n",
            )


class MainTests(SynchronousTestCase):
    """The way in."""

    def test_main(self) -> None:
        """The way in runs the command with what was written behind its name."""
        self.patch(sys, "argv", ["twisted-dispatcher", "--help"])
        written = StringIO()
        self.patch(sys, "stdout", written)
        error = self.assertRaises(SystemExit, cli.main)

        self.assertEqual(error.code, 0)
        self.assertIn("feed", written.getvalue())
