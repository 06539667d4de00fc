"""The command that sweeps models: what it finds, how it is narrowed, stopped and resumed."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any
from unittest.mock import patch

from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import OperationalError, connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext

from tests.django_project.checks.recording import SourcesMixin, keys
from tests.django_project.club.models import Gift, Member, Patron
from twisted_dispatcher.django import progress, sweeping
from twisted_dispatcher.django.models import Generator, Sweep
from twisted_dispatcher.django.registry import register_group_handler
from twisted_dispatcher.sources import event


def process(*arguments: str, **options: Any) -> str:
    """Run the command; give what it says."""
    out = StringIO()
    call_command("process_event_sources", *arguments, stdout=out, stderr=out, **options)
    return out.getvalue()


class SweepCase(SourcesMixin, TestCase):
    """Members that were written past `save()`."""

    def setUp(self) -> None:
        """Store five of them."""
        super().setUp()
        names = ("Ann", "Bob", "Cid", "Dan", "Eve")
        Member.objects.bulk_create(Member(name=name, active=name != "Bob") for name in names)
        self.seen: list[str] = []

    def joined(self, member: Any) -> Iterator[dict[str, Any]]:
        """Tell that a member is there."""
        self.seen.append(member.name)
        yield event("joined", member.name, {"member": member})


class CommandTests(SweepCase):
    """`process_event_sources`."""

    def test_all(self) -> None:
        """Every instance goes through all sources of its model, and new events are kept (S46)."""
        self.register(Member, self.joined, lambda member: [event("named", member.name)])
        Gift.objects.bulk_create([Gift(member=Member.objects.get(name="Ann"), amount=5)])
        self.register(Gift, lambda gift: [event("given", "once")])

        said = process()

        self.assertEqual(11, len(keys()))
        self.assertIn("club.Member: 5 seen, 10 events recorded, 0 known, 0 problems", said)
        self.assertIn("club.Gift: 1 seen, 1 events recorded, 0 known, 0 problems", said)

    def test_again(self) -> None:
        """When it runs again, nothing is recorded again (S43, S47)."""
        self.register(Member, self.joined)
        process()

        self.assertIn("5 seen, 0 events recorded, 5 known", process())
        self.assertEqual(5, len(keys()))

    def test_old_name(self) -> None:
        """It is there under the name of django-spark."""
        self.register(Member, self.joined)

        call_command("process_spark_sources", verbosity=0, stdout=StringIO())

        self.assertEqual(5, len(keys()))

    def test_time_dependent(self) -> None:
        """What time has brought about is found by the next sweep (S48)."""
        days = 0
        self.register(Member, lambda member: [event("idle", member.pk)] if days > 2 else None)

        process()
        self.assertEqual([], keys())
        days = 3
        process()
        self.assertEqual(5, len(keys()))

    def test_some_models(self) -> None:
        """Only the models that are named are swept, each once."""
        self.register(Member, self.joined)
        self.register(Gift, lambda gift: [event("given", gift.pk)])

        said = process("club.Member", "club.Member")

        self.assertEqual(1, said.count("club.Member"))
        self.assertNotIn("club.Gift", said)

    def test_filter(self) -> None:
        """Only instances that all look-ups find are swept."""
        self.register(Member, self.joined)

        process("--filter", "active=True", "--filter", "name__in=Ann,Bob,Eve")
        self.assertEqual(["joined_Ann", "joined_Eve"], keys())

        process("--filter", "gifts__isnull=false")
        self.assertEqual(2, len(keys()))

    def test_quiet(self) -> None:
        """Nothing is said with --verbosity 0."""
        self.register(Member, self.joined)

        self.assertEqual("", process(verbosity=0))

    def test_misuse(self) -> None:
        """What cannot be done is refused at once, and nothing is swept."""
        self.register(Member, self.joined)
        for arguments, text in {
            ("club.Nothing",): "is no model",
            ("nonsense",): "as app.Model",
            ("club.Gift",): "has no event source; these have: club.Member",
            ("--filter", "height=7"): "does not fit club.Member",
            ("--filter", "id=many"): "does not fit club.Member",
            ("--filter", "active"): "is no FIELD=VALUE: write active=True",
            ("--filter", "gifts__isnull=maybe"): "is true or false",
            ("--filter", "id=1", "--filter", "id=2"): "is there twice",
            ("--using", "elsewhere"): "no database 'elsewhere'; these are there: default",
            ("--batch", "0"): "1 or more",
        }.items():
            with self.subTest(arguments):
                with self.assertRaises(CommandError) as raised:
                    process(*arguments)
                self.assertIn(text, str(raised.exception))
        self.assertEqual([], self.seen)

    def test_no_source(self) -> None:
        """Where no model has a source, that is said."""
        with self.assertRaisesMessage(CommandError, "no model has an event source"):
            process()

    def test_problems(self) -> None:
        """What a source raises stops neither it nor others; the command fails in the end."""

        def breaking(member: Member) -> Iterator[Any]:
            yield event("before", member.name)
            if member.name == "Bob":
                raise LookupError("no Bob")

        self.register(Member, breaking, self.joined)

        logs = self.assertLogs("twisted_dispatcher.django", "ERROR")
        with logs as logged, self.assertRaisesMessage(CommandError, "not made: 1; see"):
            process()

        self.assertEqual(10, len(keys()))
        self.assertIn("breaking", logged.output[0])

    def test_collision(self) -> None:
        """A key of another group's event is a problem, and not a duplicate (S10)."""
        self.register(Member, lambda member: [event("a", "1_2"), event("a_1", "2")])

        logs = self.assertLogs("twisted_dispatcher.django", "ERROR")
        with logs, self.assertRaisesMessage(CommandError, "not made: 5; see"):
            process()
        self.assertEqual(["a_1_2"], keys())

    def test_model_in_two_tables(self) -> None:
        """A model that derives from another is swept by its own key, through its own sources."""
        patron = Patron.objects.create(name="Zoe")
        self.register(Patron, self.joined)

        process("--batch", "1")

        self.assertEqual(["joined_Zoe"], keys())
        self.assertIn(str(patron.pk), Sweep.objects.get().position)

    def test_generators(self) -> None:
        """With --generators the events of the active ones are recorded too; bad ones are told."""
        source = {"candidates": Member.objects.all, "context": lambda member: {}}
        with patch.dict(Generator.SOURCES, {"members": source}):
            Generator.objects.create(group="g", source="members")
            Generator.objects.create(group="h", source="strangers")

            out = StringIO()
            with self.assertRaisesMessage(CommandError, "not made: 1; see"):
                call_command("process_event_sources", generators=True, stdout=out, stderr=out)

        self.assertIn("The generator of h: UnknownGeneratorSource", out.getvalue())
        self.assertIn("5 events recorded, 0 known, 1 problems", out.getvalue())
        self.assertEqual(5, len(keys()))

    def test_handlers_are_called_by_others(self) -> None:
        """The command records; where a daemon dispatches, no handler is called here."""
        called: list[Any] = []
        register_group_handler(handler=called.append, group="joined")
        self.register(Member, self.joined)

        process()

        self.assertEqual([], called)


class StoppedTests(SweepCase):
    """Sweeps that were stopped."""

    def stopping_at(self, name: str) -> None:
        """Register a source that is interrupted at a member, once."""
        stops = [name]

        def source(member: Member) -> Any:
            if stops == [member.name]:
                stops.clear()
                raise KeyboardInterrupt
            return self.joined(member)

        self.register(Member, source)

    def test_resumed(self) -> None:
        """It goes on behind the last batch that was recorded."""
        self.stopping_at("Dan")

        with self.assertRaisesMessage(CommandError, "club.Member: stopped after 2"):
            process("--batch", "2")
        self.assertEqual(["joined_Ann", "joined_Bob"], keys())
        self.seen.clear()
        said = process("--resume")

        self.assertEqual(["Cid", "Dan", "Eve"], self.seen)
        self.assertIn("5 seen, 3 events recorded", said)
        self.assertIsNotNone(Sweep.objects.get().ended)

    def test_database_fails(self) -> None:
        """What the database says is told in a line, with how far the sweep is."""
        self.register(Member, self.joined)
        broken = patch.object(sweeping, "record_drafts", side_effect=OperationalError("full"))

        with broken, self.assertRaisesMessage(CommandError, "after 0, --resume goes on"):
            process()

    def test_begun_anew(self) -> None:
        """Without --resume, and after one that has ended, it begins with the first instance."""
        self.stopping_at("Dan")
        with self.assertRaises(CommandError):
            process("--batch", "2")

        for arguments in ((), ("--resume",)):
            self.seen.clear()
            process(*arguments)
            self.assertEqual(5, len(self.seen), arguments)

    def test_begun_anew_and_stopped(self) -> None:
        """One that was stopped at once is resumed at its own beginning, not where another was."""
        self.stopping_at("Dan")
        with self.assertRaises(CommandError):
            process("--batch", "2")
        with patch.object(sweeping, "drafts_of", side_effect=KeyboardInterrupt):
            self.assertRaises(CommandError, process)
        self.seen.clear()

        process("--resume")

        self.assertEqual(5, len(self.seen))

    def test_nothing_left(self) -> None:
        """When all that was left to do is gone, the next one begins anew."""
        self.stopping_at("Dan")
        with self.assertRaises(CommandError):
            process("--batch", "2")
        Member.objects.filter(name__in=["Cid", "Dan", "Eve"]).delete()
        self.seen.clear()

        self.assertIn("2 seen, 0 events", process("--resume"))
        self.assertEqual([], self.seen)
        process("--resume")

        self.assertEqual(["Ann", "Bob"], self.seen)

    def test_other_filter(self) -> None:
        """How far it is belongs to the filter: another one begins with the first instance."""
        self.stopping_at("Dan")
        with self.assertRaises(CommandError):
            process("--batch", "2")
        self.seen.clear()

        process("--resume", "--filter", "active=True")

        self.assertEqual(["Ann", "Cid", "Dan", "Eve"], self.seen)

    def test_key_that_is_no_number(self) -> None:
        """Models whose keys are no numbers are resumed as well."""
        ann = Member.objects.get(name="Ann")
        Gift.objects.bulk_create(Gift(member=ann) for _ in range(5))
        first = [str(each.pk) for each in Gift.objects.order_by("pk")]
        seen: list[str] = []

        def source(gift: Gift) -> None:
            if len(seen) == 4:
                seen.append("stop")
                raise KeyboardInterrupt
            seen.append(str(gift.pk))

        self.register(Gift, source)
        with self.assertRaises(CommandError):
            process("--batch", "2")
        process("--batch", "2", "--resume")

        self.assertEqual([*first[:4], "stop", first[4]], seen)


class BatchTests(SweepCase):
    """What a sweep asks of the database."""

    def test_queries(self) -> None:
        """A batch costs as many queries as another one, however many instances are behind it."""
        self.register(Member, self.joined)
        process()
        Member.objects.bulk_create(Member(name=f"m{number}") for number in range(45))
        steps = sweeping.sweep(Member.objects.all(), [self.joined], batch=10)
        counts = []
        for _ in range(4):
            with CaptureQueriesContext(connection) as captured:
                next(steps)
            counts.append(len(captured))

        self.assertEqual(1, len(set(counts[1:])), counts)

    def test_events_and_place_together(self) -> None:
        """When the events of a batch cannot be stored, the sweep stands where it stood."""
        self.register(Member, self.joined)
        steps = sweeping.sweep(Member.objects.all(), [self.joined], batch=2)
        next(steps)

        with patch.object(sweeping, "record_drafts", side_effect=OSError("full")):
            self.assertRaises(OSError, next, steps)

        self.assertEqual(2, Sweep.objects.get().seen)


class Terminal(StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class ProgressTests(TestCase):
    """How far a command is."""

    def test_lines(self) -> None:
        """Where there is no terminal, a line is written every ten seconds."""
        out, now = StringIO(), 0.0
        with progress.progress(out, "club.Member", 40000, lambda: now) as show:
            for done in range(1000, 31000, 1000):
                now += 1
                show(done)

        lines = ["10,000", "20,000", "30,000"]
        self.assertEqual(
            [f"club.Member: {each} of 40,000" for each in lines], out.getvalue().splitlines()
        )

    def test_bar(self) -> None:
        """On a terminal there is a bar, which is taken away in the end."""
        out, now = Terminal(), 0.0
        with progress.progress(out, "club.Member", 4, lambda: now) as show:
            for done in (1, 2, 5):
                now += 60
                show(done)

        half, whole, end = out.getvalue().split("\r\x1b[K")[2:]
        self.assertEqual(f"club.Member: 2 of 4 [{'#' * 15}{' ' * 15}]", half)
        self.assertEqual(f"club.Member: 5 of 4 [{'#' * 30}]", whole)
        self.assertEqual("", end)

    def test_of_a_command(self) -> None:
        """A command's own stream gets the same, without an end of line after each bar."""
        out, now = Terminal(), 0.0
        with progress.progress(OutputWrapper(out), "club.Member", 4, lambda: now) as show:
            now = 60.0
            show(2)

        self.assertNotIn("\n", out.getvalue())
