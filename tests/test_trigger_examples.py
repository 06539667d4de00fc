"""The examples of trigger sessions: the questionnaire, and the log of permits."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from examples import receipt_triggers
from examples.questionnaire import archive, browsers
from examples.questionnaire.__main__ import arguments, report, run
from examples.questionnaire.survey import CONFIGURATION, Questionnaire
from twisted_dispatcher.testing import clocked_durable_dispatcher, pump
from twisted_dispatcher.triggers.checking import check
from twisted_dispatcher.triggers.files import load_configuration

CHECKOUT = Path(__file__).resolve().parent.parent
TRIGGERS = (
    "firstPageReceived",
    "pageReceived",
    "questionnaireComplete",
    "isEmbeddedApplication",
    "sessionFinalized",
)
HOUR = 3600.0


class QuestionnaireTests(SynchronousTestCase):
    """A questionnaire, answered on a clock."""

    def setUp(self) -> None:
        """Make a database, and a dispatcher with a store in memory."""
        self.patch(os, "environ", {**os.environ, archive.VARIABLE: self.mktemp()})
        os.environ.pop(browsers.VARIABLE, None)
        self.dispatcher, self.clock = clocked_durable_dispatcher()
        self.survey = Questionnaire("17", self.dispatcher)
        self.do("start")

    def do(self, command: str, *words: str) -> list[str]:
        """Do what a command of the program does, and give the lines that it writes."""
        asked = arguments([command, "17", *words])
        doing = run(asked, self.survey)
        return pump(self.clock, Deferred.fromCoroutine(doing), 24 * HOUR).split("\n")

    def test_configuration(self) -> None:
        """Nothing is odd about the configuration, and all of its triggers are fired."""
        self.assertEqual(check(load_configuration(CONFIGURATION), TRIGGERS), [])

    def test_complete(self) -> None:
        """When the questionnaire is complete, the subject, the pages and the browser are there."""
        self.do("page", "name=Ada", "agent=Firefox/128.0")
        self.do("page", "colour=green")
        self.assertIsNone(archive.subject("questionnaire:17"))

        said = self.do("complete")

        self.assertEqual(
            said,
            [
                "t_close#0: finished",
                "t_importBrowserMetadata#0: finished",
                "t_importResponses#0: finished",
                "t_importResponses#1: finished",
                "t_importSubject#0: finished",
                "subject: Ada, with Firefox",
                "answers: {'agent': 'Firefox/128.0', 'name': 'Ada'}",
                "answers: {'colour': 'green'}",
                "closed",
            ],
        )

    def test_embedded(self) -> None:
        """In an application no browser is looked up, and the questionnaire is closed anyway."""
        self.do("page", "--embedded", "name=Ada")
        said = self.do("complete")

        self.assertIn("t_importBrowserMetadata#0: abandoned", said)
        self.assertIn("subject: Ada, with no browser", said)
        self.assertIn("closed", said)

    def test_service_away(self) -> None:
        """A service that is away is asked again after half a minute, and then given up."""
        os.environ[browsers.VARIABLE] = "away"
        self.do("page", "name=Ada")
        began = self.clock.seconds()
        said = self.do("complete")

        self.assertIn("t_importBrowserMetadata#3: failed", said)
        self.assertIn("t_importBrowserMetadata#2: replayed", said)
        self.assertTrue(self.clock.seconds() - began >= 90)
        self.assertNotIn("closed", said)

        del os.environ[browsers.VARIABLE]
        replaying = self.survey.manager.replay_failed_instance("t_importBrowserMetadata#3")
        pump(self.clock, replaying, HOUR)
        self.assertIn("closed", self.do("show"))

    def test_late_page(self) -> None:
        """A page after the last one is imported as well."""
        self.do("page", "name=Ada")
        self.do("complete")
        said = self.do("page", "colour=green")

        self.assertIn("answers: {'colour': 'green'}", said)

    def test_nothing_yet(self) -> None:
        """Of a questionnaire without answers there is nothing to tell."""
        self.assertEqual(self.do("show"), ["nothing yet"])

    def test_report_alone(self) -> None:
        """Telling what has become of it changes nothing."""
        self.do("page", "name=Ada")
        said = pump(self.clock, Deferred.fromCoroutine(report(self.survey)), HOUR)

        self.assertEqual(said.split("\n"), self.do("show"))


class ProgramTests(SynchronousTestCase):
    """The questionnaire as a program: one process for each thing that happens."""

    def setUp(self) -> None:
        """Have a directory for the store."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def do(self, *words: str, status: int = 0) -> str:
        """Run the program, and give what it says, be it that something is wrong."""
        done = subprocess.run(
            [sys.executable, "-m", "examples.questionnaire", *words],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr if status else done.stdout

    def test_processes(self) -> None:
        """What one process has stored, the next one goes on with."""
        self.do("start", "1")
        self.do("page", "1", "name=Bob")
        self.assertIn("t_importResponses#0: unstarted", self.do("show", "1"))

        self.assertIn("subject: Bob", self.do("complete", "1"))

    def test_misuse(self) -> None:
        """What cannot be done is told in a line, with what to do first or what to write."""
        for words in (("page", "18", "name=Bob"), ("complete", "18"), ("show", "18")):
            said = self.do(*words, status=1)
            self.assertEqual(said, "there is no questionnaire 18: start 18 first\n")

        self.assertIn(
            "'name' is no answer: write NAME=VALUE", self.do("page", "18", "name", status=2)
        )


class ReceiptTests(SynchronousTestCase):
    """The log of permits, played through sessions."""

    def log(self, cases: int, seed: int) -> str:
        """Make up a log: cases whose activities come in any order, some of them twice."""
        chance = Random(seed)
        names = (
            receipt_triggers.RECEIVED,
            receipt_triggers.CHECKED,
            receipt_triggers.ADJUSTED,
            receipt_triggers.DETERMINED,
            receipt_triggers.SENT,
            receipt_triggers.ADVICE,
            receipt_triggers.INDICATION,
            receipt_triggers.UNLICENSED,
            receipt_triggers.PRINTED,
            "something else",
        )
        path = Path(self.mktemp() + ".csv")
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(("case:concept:name", "concept:name", "time:timestamp"))
            for case in range(cases):
                happened = [name for name in names for _ in range(chance.choice((0, 1, 1, 2)))]
                chance.shuffle(happened)
                for minute, name in enumerate(happened):
                    time = f"2024-01-{1 + case % 28:02}T08:{minute:02}:00+00:00"
                    table.writerow((f"case-{case}", name, time))
        return str(path)

    def test_counts(self) -> None:
        """Each task runs as often as plain loops over the log say, and none fails."""
        cases = receipt_triggers.cases_of(self.log(30, seed=1))
        dispatcher, clock = clocked_durable_dispatcher()
        playing = Deferred.fromCoroutine(receipt_triggers.play(cases, dispatcher))
        found = pump(clock, playing, 24 * HOUR)
        expected = receipt_triggers.counted(cases)

        self.assertEqual(
            {task: count for (task, status), count in found.items() if status == "finished"},
            {task: count for task, count in expected.items() if count},
        )
        self.assertEqual(receipt_triggers.differences(found, expected), [])
        self.assertEqual(expected.keys(), receipt_triggers.JOINS.keys())
        statuses = {status for _, status in found}
        self.assertLessEqual(statuses, {"finished", "abandoned", "unstarted"})

    def test_differences(self) -> None:
        """A task that has run too often or too seldom is named, and so it is in the table."""
        found = Counter({("t_check", "finished"): 2, ("t_plain", "finished"): 1})
        expected = Counter({"t_check": 3, "t_plain": 1})

        self.assertEqual(receipt_triggers.differences(found, expected), ["t_check"])
        self.assertIn("       2        3  t_check", receipt_triggers.table(found, expected))

    def test_joins(self) -> None:
        """The joins are a configuration about which nothing is odd, given the log's activities."""
        self.assertEqual(check(receipt_triggers.JOINS), [])
        self.assertEqual(json.loads(json.dumps(receipt_triggers.JOINS)), receipt_triggers.JOINS)
