"""How a dispatcher is made: keywords, phases, policies, and what of it is refused."""

from __future__ import annotations

from typing import Any

from zope.component import getUtility, provideUtility
from zope.component.globalregistry import base
from zope.interface.verify import verifyObject

from tests.dispatching import DispatcherTestCase, Recorder, noting
from twisted_dispatcher import EventDispatcher, IBackgroundUtility, IEventDispatcher, errors

# The names of the parameters beside which keywords stand.
RESERVED = ("self", "event", "listen_fn", "phase", "use_weakref", "options", "timeout", "check")


class NewDispatcherTests(DispatcherTestCase):
    """A dispatcher that was just made."""

    def test_phases_by_default(self) -> None:
        """The phases are before, during and after, in this order (E01)."""
        dispatcher = EventDispatcher(allowed_match_spec_keywords=("user",))

        self.assertEqual(dispatcher.phases, ("before", "during", "after"))

    def test_stopped(self) -> None:
        """A new dispatcher does not run (E01)."""
        dispatcher = EventDispatcher(allowed_match_spec_keywords=("user",))

        self.assertIs(dispatcher.running, False)

    def test_allowed_keywords(self) -> None:
        """The allowed keywords can be read, in the order in which they were given (E01)."""
        dispatcher = EventDispatcher(["user", "role"])

        self.assertEqual(dispatcher.allowed_keywords, ("user", "role"))

    def test_without_arguments(self) -> None:
        """A dispatcher can be made without any keyword, and calls handlers without a spec."""
        dispatcher = self.make()
        handler = Recorder()
        self.add(dispatcher, handler)
        self.fire(dispatcher, "anything")

        self.assertEqual(handler.events, ["anything"])

    def test_keywords_from_any_iterable(self) -> None:
        """The allowed keywords may come from an iterator."""
        dispatcher = EventDispatcher(keyword for keyword in ("user", "role"))

        self.assertEqual(dispatcher.allowed_keywords, ("user", "role"))

    def test_registers_nothing(self) -> None:
        """A new dispatcher has no handlers."""
        self.assertEqual(list(EventDispatcher(("user",)).describe()), [])

    def test_independent(self) -> None:
        """Two dispatchers know nothing of each other's handlers."""
        one, other = self.make("user"), self.make("user")
        handler = Recorder()
        self.add(one, handler)
        self.fire(other)

        self.assertEqual(handler.events, [])


class PhasesTests(DispatcherTestCase):
    """The phases that a dispatcher is made with."""

    def test_given_order(self) -> None:
        """Phases run in exactly the order given, whatever their names and number (E02)."""
        log: list[str] = []
        dispatcher = self.make(phases=("zeta", "alpha", "mid", "beta"))
        for phase in ("alpha", "beta", "mid", "zeta"):
            self.add(dispatcher, noting(log, phase), phase)
        self.fire(dispatcher)

        self.assertEqual(log, ["zeta", "alpha", "mid", "beta"])

    def test_one_phase(self) -> None:
        """One phase is enough (E02)."""
        dispatcher = self.make(phases=["only"])
        handler = Recorder()
        self.add(dispatcher, handler, "only")
        self.fire(dispatcher)

        self.assertEqual(handler.events, ["event"])

    def test_repeated(self) -> None:
        """A phase that is named twice is refused, and named in the error (E03)."""
        error = self.assertRaises(
            errors.InvalidPhases, EventDispatcher, (), ("before", "during", "before")
        )

        self.assertIn("before", str(error))

    def test_plain_string(self) -> None:
        """A plain string for the phases is refused rather than taken letter by letter."""
        self.assertRaises(errors.InvalidPhases, EventDispatcher, (), "during")

    def test_none_at_all(self) -> None:
        """A dispatcher without a phase is refused: it could call nobody."""
        self.assertRaises(errors.InvalidPhases, EventDispatcher, (), ())

    def test_not_a_name(self) -> None:
        """A phase that is not a string is refused."""
        for phases in [("before", 1), (None,), ("before", "")]:
            self.assertRaises(errors.InvalidPhases, EventDispatcher, (), phases)

    def test_refused_as_value_error(self) -> None:
        """Refused phases can be caught as a ValueError or a DispatcherError."""
        self.assertRaises(ValueError, EventDispatcher, (), "during")
        self.assertRaises(errors.DispatcherError, EventDispatcher, (), "during")


class KeywordsTests(DispatcherTestCase):
    """The keywords that a dispatcher is made with, and those allowed later."""

    def refused(self, keywords: Any) -> errors.InvalidKeyword:
        """Give the error with which these keywords are refused."""
        error: errors.InvalidKeyword = self.assertRaises(
            errors.InvalidKeyword, EventDispatcher, keywords
        )
        return error

    def test_plain_string(self) -> None:
        """A plain string for the keywords is refused rather than taken letter by letter (E04)."""
        self.assertIn("user", str(self.refused("user")))

    def test_parameter_names(self) -> None:
        """A keyword that is the name of a parameter is refused, and named in the error (E05)."""
        for name in RESERVED:
            error = self.assertRaises(errors.ReservedKeyword, EventDispatcher, ("user", name))

            self.assertIn(repr(name), str(error))
            self.assertIsInstance(error, (ValueError, TypeError))

    def test_no_identifier(self) -> None:
        """A keyword that nobody could write as a keyword argument is refused."""
        for name in ("concept:name", "two words", "", "1st", "class", "None"):
            self.assertIn(repr(name), str(self.refused((name,))))

    def test_no_string(self) -> None:
        """A keyword that is not a string is refused."""
        for name in (1, None, b"user", ("user",)):
            self.refused((name,))

    def test_odd_names(self) -> None:
        """Names of builtins and of the dispatcher's own, and names in any script, are keywords."""
        names = ("_private", "print", "fire_event", "details", "key", "handler", "größe")
        dispatcher = self.make(*names)
        handler = Recorder()
        values: dict[str, Any] = {name: name for name in names}
        self.add(dispatcher, handler, **values)
        self.fire(dispatcher, **values)

        self.assertEqual(handler.events, ["event"])

    def test_two_underscores(self) -> None:
        """A keyword that begins with two underscores, as Python's own names do, is refused."""
        for name in ("__mangled", "__debug__"):
            self.assertIn(repr(name), str(self.refused((name,))))

    def test_other_spelling(self) -> None:
        """A keyword that Python itself would read as another name is refused."""
        self.refused(("\ufb01le",))

    def test_many(self) -> None:
        """Hundreds of keywords work."""
        names = [f"keyword_{number}" for number in range(300)]
        dispatcher = self.make(*names)
        handler = Recorder()
        self.add(dispatcher, handler, keyword_0=0, keyword_299=299)
        self.fire(dispatcher, keyword_0=0, keyword_299=299, keyword_7=7)

        self.assertEqual(handler.events, ["event"])

    def test_allow_later(self) -> None:
        """A keyword that is allowed later can be used in specs and details."""
        dispatcher = self.make("user")
        dispatcher.allow_keyword("role")
        handler = Recorder()
        self.add(dispatcher, handler, role="admin")
        self.fire(dispatcher, "yes", user="bob", role="admin")
        self.fire(dispatcher, "no", user="bob")

        self.assertEqual(handler.events, ["yes"])

    def test_allow_keeps_handlers(self) -> None:
        """Handlers registered before a keyword was allowed go on as before."""
        dispatcher = self.make("user")
        handler = Recorder()
        self.add(dispatcher, handler, user="bob")
        dispatcher.allow_keyword("role")
        self.fire(dispatcher, "yes", user="bob", role="admin")
        self.fire(dispatcher, "no", role="admin")

        self.assertEqual(handler.events, ["yes"])

    def test_allow_is_listed(self) -> None:
        """An allowed keyword is listed among the allowed keywords."""
        dispatcher = EventDispatcher(("user",))
        dispatcher.allow_keyword("role")

        self.assertEqual(dispatcher.allowed_keywords, ("user", "role"))

    def test_allow_again(self) -> None:
        """Allowing what is allowed changes nothing."""
        dispatcher = EventDispatcher(("user",))
        dispatcher.allow_keyword("user")

        self.assertEqual(dispatcher.allowed_keywords, ("user",))

    def test_allow_refused(self) -> None:
        """What the constructor refuses as a keyword, allow_keyword refuses, and keeps nothing."""
        dispatcher = EventDispatcher(("user",))
        for name in (*RESERVED, "concept:name", "class", ""):
            self.assertRaises(errors.InvalidKeyword, dispatcher.allow_keyword, name)

        self.assertEqual(dispatcher.allowed_keywords, ("user",))

    def test_allow_from_a_handler(self) -> None:
        """A handler may allow a keyword and fire with it."""
        dispatcher = self.make("user")
        handler = Recorder()

        def widen(event: Any) -> Any:
            dispatcher.allow_keyword("role")
            self.add(dispatcher, handler, role="admin")
            return dispatcher.fire_event("inner", role="admin")

        self.add(dispatcher, widen, user="bob")
        self.fire(dispatcher, user="bob")

        self.assertEqual(handler.events, ["inner"])

    def test_fire_method_taken_before(self) -> None:
        """A fire_event that was taken from the dispatcher before keywords changed still works."""
        dispatcher = self.make("user")
        fire = dispatcher.fire_event
        handler = Recorder()
        dispatcher.allow_keyword("role")
        self.add(dispatcher, handler, user="bob")
        self.successResultOf(fire("event", user="bob"))

        self.assertEqual(handler.events, ["event"])

    def test_forbid(self) -> None:
        """A keyword that was forbidden is as unknown as one that was never allowed."""
        dispatcher = self.make("user", "role")
        dispatcher.forbid_keyword("role")

        self.assertEqual(dispatcher.allowed_keywords, ("user",))
        self.assertRaises(errors.UnknownKeyword, dispatcher.fire_event, "event", role="admin")
        self.assertRaises(
            errors.UnknownKeyword, dispatcher.add_event_handler, Recorder(), "during", role="x"
        )

    def test_forbid_keeps_others(self) -> None:
        """Forbidding a keyword leaves handlers for other keywords as they were."""
        dispatcher = self.make("role", "user")
        handler = Recorder()
        self.add(dispatcher, handler, user="bob")
        dispatcher.forbid_keyword("role")
        self.fire(dispatcher, "yes", user="bob")
        self.fire(dispatcher, "no", user="eve")

        self.assertEqual(handler.events, ["yes"])

    def test_forbid_in_use(self) -> None:
        """Forbidding a keyword that a handler's spec names is refused, and names the handler."""
        dispatcher = self.make("user", "role")
        self.add(dispatcher, Recorder(), user="bob")
        error = self.assertRaises(errors.KeywordInUse, dispatcher.forbid_keyword, "user")

        self.assertIn("Recorder", str(error))
        self.assertEqual(dispatcher.allowed_keywords, ("user", "role"))

    def test_forbid_after_removal(self) -> None:
        """A keyword can be forbidden when the last handler that used it was removed."""
        dispatcher = self.make("user")
        handler_id = self.add(dispatcher, Recorder(), user="bob")
        dispatcher.remove_event_handler(handler_id)
        dispatcher.forbid_keyword("user")

        self.assertEqual(dispatcher.allowed_keywords, ())

    def test_forbid_what_somebody_waits_for(self) -> None:
        """Forbidding a keyword by which somebody waits for an event is refused."""
        dispatcher = self.make("user")
        waiting = dispatcher.wait_for(user="bob")
        self.assertRaises(errors.KeywordInUse, dispatcher.forbid_keyword, "user")
        self.fire(dispatcher, "found", user="bob")

        self.assertEqual(self.successResultOf(waiting), "found")

    def test_forbid_unknown(self) -> None:
        """Forbidding a keyword that is not allowed is refused, without a word of allowing it."""
        dispatcher = EventDispatcher(("user",))
        error = self.assertRaises(errors.UnknownKeyword, dispatcher.forbid_keyword, "role")

        self.assertIn("role", str(error))
        self.assertNotIn("allow_keyword", str(error))

    def test_forbid_while_ordering_by_it(self) -> None:
        """A keyword by which events are kept in order cannot be forbidden."""
        dispatcher = EventDispatcher(("user", "role"), order_by=("user",))
        self.assertRaises(ValueError, dispatcher.forbid_keyword, "user")

        self.assertEqual(dispatcher.allowed_keywords, ("user", "role"))

    def test_unknown_names_what_is_allowed(self) -> None:
        """The error for an unknown keyword names it, and what is allowed."""
        dispatcher = EventDispatcher(("user", "role"))
        error = self.assertRaises(errors.UnknownKeyword, dispatcher.fire_event, None, usr="bob")

        self.assertIn("'usr'", str(error))
        self.assertIn("'user'", str(error))


class PolicyTests(DispatcherTestCase):
    """The other arguments of the constructor."""

    def test_on_failure(self) -> None:
        """A policy for failures that does not exist is refused, and named in the error."""
        error = self.assertRaises(ValueError, EventDispatcher, (), on_failure="explode")

        self.assertIn("explode", str(error))
        self.assertIsInstance(error, errors.DispatcherError)

    def test_on_failure_of_a_phase(self) -> None:
        """A policy that does not exist is refused for a single phase, too."""
        error = self.assertRaises(
            ValueError, EventDispatcher, (), on_failure={"during": "explode"}
        )

        self.assertIn("explode", str(error))

    def test_on_failure_of_no_phase(self) -> None:
        """A policy for a phase that does not exist is refused."""
        error = self.assertRaises(ValueError, EventDispatcher, (), on_failure={"durign": "stop"})

        self.assertIn("durign", str(error))

    def test_order_by_unknown(self) -> None:
        """An order by a keyword that is not allowed is refused, and names it."""
        error = self.assertRaises(
            errors.UnknownKeyword, EventDispatcher, ("user",), order_by=("role",)
        )

        self.assertIn("'role' (allowed: 'user'); mend the spelling in order_by", str(error))

    def test_order_by_plain_string(self) -> None:
        """A plain string for the order is refused, with how it is written."""
        error = self.assertRaises(ValueError, EventDispatcher, ("user",), order_by="user")

        self.assertIsInstance(error, errors.DispatcherError)
        self.assertIn("write order_by=('user',)", str(error))

    def test_positional_beyond_phases(self) -> None:
        """Only keywords and phases can be given by position."""
        self.assertRaises(TypeError, EventDispatcher, (), ("during",), "stop")


class InterfaceTests(DispatcherTestCase):
    """What zope.interface and zope.component make of a dispatcher."""

    def test_event_dispatcher(self) -> None:
        """A dispatcher provides IEventDispatcher (E60)."""
        self.assertTrue(verifyObject(IEventDispatcher, EventDispatcher(("user",))))

    def test_background_utility(self) -> None:
        """A dispatcher provides IBackgroundUtility (E60)."""
        self.assertTrue(verifyObject(IBackgroundUtility, EventDispatcher(("user",))))

    def test_named_utility(self) -> None:
        """A dispatcher can be registered and looked up as a named utility (E60)."""
        dispatcher = self.make("user")
        provideUtility(dispatcher, IEventDispatcher, name="users")
        self.addCleanup(base.unregisterUtility, dispatcher, IEventDispatcher, name="users")

        self.assertIs(getUtility(IEventDispatcher, name="users"), dispatcher)

    def test_running_is_read_only(self) -> None:
        """Whether a dispatcher runs can be read, not set (E55)."""
        dispatcher = EventDispatcher(("user",))

        self.assertRaises(AttributeError, setattr, dispatcher, "running", True)
        self.assertIs(dispatcher.running, False)
