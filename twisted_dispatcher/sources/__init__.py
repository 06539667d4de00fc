"""
Sources of events: "whatever exists, say what has happened to it; each thing is handled once".

A source is a function that turns an object into events, each with a group and a key. Handlers are
registered for groups. However often a source says the same thing, it is handled once::

    def events_from_challenge(challenge):
        yield event("challenge_created", challenge.id, {"title": challenge.title})
        if challenge.is_over():
            yield event("challenge_ended", challenge.id, {"title": challenge.title})

    sources = EventSources(dispatcher)
    sources.register_group_handler(handler=send_mail, group="^challenge")
    await sources.process_events(events_from_challenge(challenge))
"""

from twisted_dispatcher.sources.declarations import declared, event
from twisted_dispatcher.sources.eventsources import EventSources
from twisted_dispatcher.sources.generators import GeneratorProblem, events_from_generators
from twisted_dispatcher.sources.naming import handler_name
from twisted_dispatcher.sources.news import NewEvents
from twisted_dispatcher.sources.reports import Problem, SourceReport, SweepReport

__all__ = [
    "EventSources",
    "GeneratorProblem",
    "NewEvents",
    "Problem",
    "SourceReport",
    "SweepReport",
    "declared",
    "event",
    "events_from_generators",
    "handler_name",
]
