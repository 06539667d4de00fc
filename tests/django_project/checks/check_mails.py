"""Tests of mails about events, with templates in the database."""

from __future__ import annotations

import smtplib
import sqlite3
from io import StringIO
from typing import Any
from unittest import mock

from django.conf import settings
from django.contrib.auth.models import User
from django.core import mail as mailing
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import TestCase, TransactionTestCase, override_settings
from django.urls import reverse

from tests.django_project.checks.recording import SourcesMixin, keys
from tests.django_project.club.models import Member
from twisted_dispatcher.django import api, registry
from twisted_dispatcher.django.at_once import replay
from twisted_dispatcher.django.mails.api import mails_from_events, process_mail_events
from twisted_dispatcher.django.mails.composing import InvalidMail
from twisted_dispatcher.django.mails.models import Mail
from twisted_dispatcher.django.mails.sending import register
from twisted_dispatcher.django.models import Delivery, Generator
from twisted_dispatcher.django.testing import deliver_at_once

LOGGER = "twisted_dispatcher.django"
TEMPLATE = """
   \t
Dear {{ user }}

Your key: {{ key }}  \t

Best regards

"""
TO = {"to": ["ann@example.org"]}


def joined(number: Any, spark_mail: Any = TO, group: str = "joined", **context: Any) -> Any:
    """Declare an event that wants a mail."""
    return api.event(group, number, {"spark_mail": spark_mail, **context})


class TemplateTests(TestCase):
    """Templates as rows."""

    def test_render(self) -> None:
        """The first line is the subject, and the rest the text (S82)."""
        row = Mail(event_group="joined", template_source=TEMPLATE)

        self.assertEqual(
            ("Dear ann", "Your key: 7\n\nBest regards"), row.render({"user": "ann", "key": 7})
        )
        self.assertEqual(("", ""), Mail(template_source=" \n").render({}))
        self.assertEqual("joined", str(row))

    def test_plain(self) -> None:
        """Nothing is escaped (S89)."""
        row = Mail(template_source="{{ title }}\n{{ title }}")

        self.assertEqual(("<A> & B", "<A> & B"), row.render({"title": "<A> & B"}))

    def test_validated(self) -> None:
        """A template that fails is refused, and the error stands at its field (S90)."""
        Mail(event_group="joined", template_source=TEMPLATE).full_clean()
        for source in ("{{ a._b }}", "{% if %}", "{{ a|no_filter }}", "{% include 'no_file' %}"):
            with self.subTest(source), self.assertRaises(ValidationError) as caught:
                Mail(event_group="joined", template_source=source).full_clean()
            self.assertEqual(["template_source"], list(caught.exception.message_dict))

    def test_validated_with_an_example(self) -> None:
        """Where the setting names an example of a context, templates are tried with that."""
        row = Mail(event_group="joined", template_source="{{ nick|default:user }} {{ key|add:1 }}")

        with self.settings(TWISTED_DISPATCHER={"MAILS_CONTEXT": f"{__name__}.context_of"}):
            row.full_clean()
        self.assertRaises(ValidationError, row.full_clean)
        row.full_clean(exclude=["template_source"])

    def test_unique(self) -> None:
        """A group has one template (S93)."""
        Mail.objects.create(event_group="joined", template_source="A")

        with self.assertRaises(IntegrityError), transaction.atomic():
            Mail.objects.create(event_group="joined", template_source="B")


class ComposingTests(TestCase):
    """Mails from events."""

    def mail(self, declaration: Any, **options: Any) -> Any:
        """Give the one mail about an event."""
        (found,) = mails_from_events([declaration], **options)
        return found

    def test_wanted(self) -> None:
        """Only an event that says so has a mail (S80); none is sent or recorded (S86)."""
        found = list(
            mails_from_events([joined(1, {**TO, "subject": "Hello"}), api.event("joined", 2)])
        )

        self.assertEqual(["Hello"], [each.subject for each in found])
        self.assertEqual(([], []), (mailing.outbox, keys()))

    def test_defaults(self) -> None:
        """What the event says comes before what the defaults say (S81)."""
        defaults = {"subject": "Default", "cc": ["boss@example.org"], "from_email": "a@b.example"}

        found = self.mail(joined(1, {**TO, "subject": "Own"}), defaults=defaults)

        self.assertEqual(
            ("Own", ["ann@example.org"], ["boss@example.org"], "a@b.example"),
            (found.subject, found.to, found.cc, found.from_email),
        )
        self.assertEqual(3, len(defaults))

    def test_template(self) -> None:
        """The template of the group comes before both, where it has something (S82, S83)."""
        Mail.objects.create(event_group="joined", template_source="{{ title }}")
        wanted = {**TO, "subject": "Own", "body": "Own text"}

        found = self.mail(joined(1, wanted, title="A & B"))
        blank = self.mail(joined(1, wanted, title=""))

        self.assertEqual(("A & B", "Own text"), (found.subject, found.body))
        self.assertEqual(("Own", "Own text"), (blank.subject, blank.body))

    def test_given_templates(self) -> None:
        """Templates that are given replace all of the database (S87)."""
        Mail.objects.create(event_group="joined", template_source="From the database")

        with self.assertNumQueries(0):
            found = self.mail(joined(1), mails={"joined": "Given\nText"})

        self.assertEqual(("Given", "Text"), (found.subject, found.body))

    def test_queries(self) -> None:
        """Templates are read once, and only if a mail is wanted (S88)."""
        Mail.objects.create(event_group="joined", template_source="Hello")

        with self.assertNumQueries(0):
            self.assertEqual([], list(mails_from_events([api.event("joined", 1)])))
        with self.assertNumQueries(1):
            self.assertEqual(3, len(list(mails_from_events(map(joined, range(3))))))

    def test_template_fails(self) -> None:
        """The mail has what the event says, and the failure is logged (S84)."""
        for source in ("{% if %}", "{{ secret|add:missing }}", "{{ 7|divisibleby:secret }}"):
            with self.subTest(source), self.assertLogs(LOGGER, "ERROR") as caught:
                wanted = joined(1, {**TO, "subject": "Own"}, secret="xyz")
                found = self.mail(wanted, mails={"joined": source})

            self.assertEqual(("Own", ""), (found.subject, found.body))
            self.assertIn("joined_1", caught.output[0])
            self.assertNotIn("xyz", caught.output[0])

    def test_wrong(self) -> None:
        """What makes no mail that could be sent is refused, with the reason (S85, S91)."""
        full = {**TO, "subject": "Hello"}
        for wanted, text in (
            (TO, "neither a subject nor a text: write a Mail for the group 'joined'"),
            ({"subject": "Hello"}, "no recipients"),
            ({**full, "colour": "red"}, "colour"),
            ({**full, "to": "ann@example.org"}, "to"),
            ({**full, "subject": "two\nlines"}, "line break"),
            ({**full, "headers": 7}, "headers"),
            ({**full, "bcc": ["x@e.org\nBcc: y@e.org"]}, "line break"),
            ({**full, "to": ["x@e.org, y@e.org"]}, "one whole"),
            ({**full, "cc": ["no address <"]}, "one whole"),
            ("ann@example.org", "not a mapping"),
        ):
            with self.subTest(wanted), self.assertRaises(InvalidMail) as caught:
                self.mail(joined(1, wanted))
            self.assertIn(text, str(caught.exception))

    @override_settings(DEFAULT_FROM_EMAIL="Club <club@club.example>")
    def test_message_id(self) -> None:
        """Each attempt has the same Message-ID, unless the event gives one."""
        wanted = {**TO, "subject": "Hello"}
        given = {**wanted, "headers": {"message-ID": "<own@club.example>", "X-Kind": "a"}}
        strange = {**wanted, "from_email": "nobody"}
        foreign = {**wanted, "from_email": "me@müller.example"}

        self.assertEqual(
            {"Message-ID": "<joined_1%20%3E@club.example>"},
            self.mail(joined("1 >", wanted)).extra_headers,
        )
        self.assertEqual(given["headers"], self.mail(joined(1, given)).extra_headers)
        self.assertEqual(
            {"Message-ID": "<joined_1@localhost>"}, self.mail(joined(1, strange)).extra_headers
        )
        self.assertEqual(
            {"Message-ID": "<joined_1@xn--mller-kva.example>"},
            self.mail(joined(1, foreign)).extra_headers,
        )


class Scenes(SourcesMixin):
    """What is the same where tests are rolled back and where they are not."""

    databases = ("default", "other")

    def setUp(self) -> None:
        """Have a template, and what the application registers."""
        super().setUp()
        register()
        Mail.objects.create(event_group="joined", template_source="Welcome\n{{ user }}")

    def subjects(self) -> list[str]:
        """Give the subjects and texts of the mails that were sent."""
        return [f"{each.subject}: {each.body}" for each in mailing.outbox]

    def test_sent_once(self) -> None:
        """A stream that comes twice is mailed once, with the filter or without it."""
        check: Any = self
        ann = Member.objects.create(name="Ann")

        for number, wrapped in ((1, api.only_new_events), (2, iter)):
            events = [joined(number, user=ann), api.event("joined", f"quiet{number}")]
            with self.subTest(number), deliver_at_once():  # type: ignore[attr-defined]
                first = process_mail_events(wrapped(events))
                again = process_mail_events(wrapped(events))
                check.assertEqual((1, 0), (first.recorded, first.known))
                check.assertEqual(0, again.recorded)

        check.assertEqual(["Welcome: Ann"] * 2, self.subjects())
        # Only the filter records the events themselves.
        check.assertEqual(
            ["joined_1", "joined_quiet1"], [each for each in keys() if each.startswith("joined")]
        )

    def test_known_events(self) -> None:
        """What was known before is not mailed, if only new events are asked for."""
        check: Any = self
        api.process_events([joined(1, user="Ann")])

        with deliver_at_once():
            process_mail_events(api.only_new_events([joined(1, user="Ann")]))
            check.assertEqual([], self.subjects())
            process_mail_events([joined(1, user="Ann")])

        check.assertEqual(["Welcome: Ann"], self.subjects())

    def test_bad_events(self) -> None:
        """What makes no mail is reported by its key, and is new again; the rest goes on."""
        check: Any = self
        for name, wrapped in (("a", api.only_new_events), ("b", iter)):
            events = [
                joined(f"{name}1", {**TO, "colour": "red"}),
                joined(f"{name}2"),
                joined(f"{name}3", {"to": [object()]}),
                api.event("joined", f"{name}4"),
            ]
            with deliver_at_once(), check.assertLogs(LOGGER, "ERROR") as caught:
                report = process_mail_events(wrapped(events))
            check.assertIn(f"joined_{name}1", caught.output[0])
            check.assertIn(f"joined_{name}3", caught.output[1])
            check.assertEqual(1, report.recorded)

        check.assertEqual(["Welcome: "] * 2, self.subjects())
        mails = [f"twisted_dispatcher_mail_joined_{name}2" for name in "ab"]
        check.assertCountEqual([*mails, "joined_a2", "joined_a4"], keys())

    def test_database_refuses(self) -> None:
        """A template that makes the database refuse spoils nothing else."""
        check: Any = self
        ann = Member.objects.create(name="Ann")
        broken = property(lambda member: Member.objects.extra(where=["no_column = 1"]).first())

        for wrapped in (api.only_new_events, iter):
            with (
                check.subTest(wrapped),
                mock.patch.object(Member, "broken", broken, create=True),
                check.assertLogs(LOGGER, "ERROR") as caught,
                deliver_at_once(),
                transaction.atomic(),
            ):
                report = process_mail_events(
                    wrapped([joined(1, user=ann), joined(2, user=ann, group="left")]),
                    mails={"joined": "{{ user.broken }}", "left": "{{ user }}"},
                )
            check.assertIn("no_column", caught.output[0])
            check.assertEqual(["joined_1"], [each.key for each in report.problems])
            check.assertNotIn("joined_1", keys())

        check.assertEqual(["Ann: "], self.subjects())

    def test_in_a_handler(self) -> None:
        """A handler of a group mails what it is called for."""
        check: Any = self
        api.register_group_handler(handler=mail_it, group="^joined")

        with deliver_at_once() as delivered:
            for _ in range(2):
                api.process_events([joined(1, user="Ann")])

        check.assertEqual(["Welcome: Ann"], self.subjects())
        check.assertEqual(2, len(delivered.handled))

    def test_registered_once(self) -> None:
        """Getting ready again changes nothing."""
        check: Any = self
        before = list(registry.GROUP_HANDLERS)

        with override_settings(INSTALLED_APPS=settings.INSTALLED_APPS):
            check.assertEqual(before, registry.GROUP_HANDLERS)

    def test_server_away(self) -> None:
        """A mail that is not taken is a delivery like any other, which can be replayed."""
        check: Any = self
        refusal = smtplib.SMTPServerDisconnected("away")
        place = "django.core.mail.backends.locmem.EmailBackend.send_messages"

        with deliver_at_once() as delivered:
            with mock.patch(place, side_effect=refusal):
                process_mail_events([joined(1, user="Ann")])
            (failed,) = delivered.take_failures()
            check.assertIs(refusal, failed.error)
            row = Delivery.objects.get()
            check.assertEqual("dead", row.status)
            check.assertEqual([], self.subjects())

            replay(row.pk, None, connection.alias)

        check.assertEqual(["Welcome: Ann"], self.subjects())

    def test_other_database(self) -> None:
        """What was known before is not mailed, also if it happens on another database."""
        check: Any = self
        api.process_events([joined(1, user="Ann")])

        with deliver_at_once(), transaction.atomic(using="other"):
            stream = api.only_new_events([joined(n, user="Bob") for n in (1, 2)], using="other")
            process_mail_events(stream)
            check.assertEqual(["joined_1"], keys())

        check.assertEqual(["Welcome: Bob"], self.subjects())
        check.assertEqual((1, 1), (stream.report.recorded, stream.report.known))


class RolledBackTests(Scenes, TestCase):
    """Within the transaction of a test."""


class CommittedTests(Scenes, TransactionTestCase):
    """With transactions that commit."""

    def test_by_hand(self) -> None:
        """Where transactions are begun by hand, event and mail are in the one that is open."""
        transaction.set_autocommit(False)
        try:
            stream = [joined(1, user="Ann"), joined(2, {**TO, "colour": "red"}), joined(3)]
            with self.assertLogs(LOGGER, "ERROR"):
                process_mail_events(api.only_new_events(stream))
            self.assertEqual(4, len(keys()))
            transaction.rollback()
            self.assertEqual([], keys())
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)

    def test_rolled_back(self) -> None:
        """What is rolled back is not mailed, and is new again."""
        with deliver_at_once():
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                process_mail_events(api.only_new_events([joined(1, user="Ann")]))
                raise ZeroDivisionError
            self.assertEqual(([], []), (self.subjects(), keys()))
            process_mail_events(api.only_new_events([joined(1, user="Ann")]))

        self.assertEqual(["Welcome: Ann"], self.subjects())


def mail_it(event: Any) -> None:
    """Have a mail written about an event."""
    process_mail_events([event])


class CommandTests(SourcesMixin, TestCase):
    """``process_mail_events``."""

    def setUp(self) -> None:
        """Have a source of members, a template, and two generators."""
        super().setUp()
        register()
        sources = {"members": {"candidates": Member.objects.all, "context": facts_of}}
        patch = mock.patch.dict(Generator.SOURCES, sources, clear=True)
        patch.start()
        self.addCleanup(patch.stop)
        Member.objects.create(name="Ann")
        for group in ("joined", "left"):
            Generator.objects.create(group=group, source="members")
        Mail.objects.create(event_group="joined", template_source="Welcome\n{{ name }}")

    def run_command(self) -> str:
        """Run it, and give what it says."""
        out = StringIO()
        with deliver_at_once():
            call_command("process_mail_events", stdout=out, stderr=out)
        return out.getvalue()

    def test_mails(self) -> None:
        """What generators find is mailed, once; what has no text is told, and found again."""
        for recorded, known, written in ((1, 0, 1), (0, 1, 0)):
            text = (
                f"Generators: {recorded} events recorded, {known} known, "
                f"{written} mails written, 1 problems"
            )
            out = StringIO()
            with (
                self.assertLogs(LOGGER, "ERROR") as caught,
                self.assertRaisesMessage(CommandError, "could not be made: 1"),
                deliver_at_once(),
            ):
                call_command("process_mail_events", stdout=out)
            self.assertIn(text, out.getvalue())
            self.assertIn("write a Mail for the group 'left'", caught.output[0])
        self.assertEqual(["Ann"], [each.body for each in mailing.outbox])

        Mail.objects.create(event_group="left", template_source="Bye, {{ name }}")
        self.assertIn("1 mails written, 0 problems", self.run_command())
        self.assertEqual(["Welcome", "Bye, Ann"], [each.subject for each in mailing.outbox])

    def test_not_migrated(self) -> None:
        """Where a table is missing the cure is named."""
        lacking = DatabaseError("no such table: dispatcher_mails_mail")
        lacking.__cause__ = sqlite3.OperationalError("no such table: dispatcher_mails_mail")
        refusing = mock.patch.object(Mail.objects, "exists", side_effect=lacking)

        with refusing, self.assertRaisesMessage(CommandError, "manage.py migrate"):
            self.run_command()

    def test_bad_generator(self) -> None:
        """A generator that cannot be used is told, and the others go on."""
        Generator.objects.filter(group="left").update(source="strangers")
        out = StringIO()

        with self.assertRaises(CommandError), deliver_at_once():
            call_command("process_mail_events", stdout=out, stderr=out)

        self.assertIn("The generator of left: UnknownGeneratorSource", out.getvalue())
        self.assertEqual(["Welcome"], [each.subject for each in mailing.outbox])


def facts_of(member: Member) -> dict[str, Any]:
    """Give what templates show."""
    return {"name": member.name, "spark_mail": TO}


class PagesTests(TestCase):
    """The pages of the admin."""

    def setUp(self) -> None:
        """Log in."""
        self.client.force_login(User.objects.create_superuser("root"))

    def text(self, kind: str, *parts: Any) -> str:
        """Give what a page says."""
        answer = self.client.get(reverse(f"admin:dispatcher_mails_mail_{kind}", args=parts))
        self.assertEqual(200, answer.status_code)
        return str(answer.content.decode())

    def test_preview(self) -> None:
        """A mail is shown as it will be, with nothing that a browser would run (S104)."""
        made = Mail.objects.create(event_group="joined", template_source=TEMPLATE)

        with self.settings(TWISTED_DISPATCHER={"MAILS_CONTEXT": f"{__name__}.context_of"}):
            text = self.text("change", made.pk)

        self.assertIn("Dear &lt;b&gt;joined&lt;/b&gt;\n\nYour key: 7", text)
        self.assertIn("Dear\n\nYour key:\n\nBest regards</div>", self.text("change", made.pk))

    def test_invalid(self) -> None:
        """A template that fails is told, and logged."""
        made = Mail.objects.create(event_group="joined", template_source="{% if %}")

        with self.assertLogs(LOGGER, "ERROR") as caught:
            text = self.text("change", made.pk)

        self.assertIn("INVALID", text)
        self.assertIn("joined", caught.output[0])

    def test_new(self) -> None:
        """There is nothing to show of one that is not there yet."""
        self.assertNotIn("field-rendered", self.text("add"))

    def test_list(self) -> None:
        """Templates are listed, and found by their group and their text."""
        for group in ("joined", "left"):
            Mail.objects.create(event_group=group, template_source=f"Text of {group}s")

        self.assertIn("left", self.text("changelist"))
        found = self.client.get(page("changelist"), {"q": "lefts"})
        self.assertEqual(["left"], [str(each) for each in found.context["cl"].result_list])


def page(kind: str, *parts: Any) -> str:
    """Give the address of a page of the admin."""
    return str(reverse(f"admin:dispatcher_mails_mail_{kind}", args=parts))


def context_of(mail: Mail) -> dict[str, Any]:
    """Give an example of what events have in their context."""
    return {"user": f"<b>{mail.event_group}</b>", "key": 7}
