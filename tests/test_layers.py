"""Tests of the house's order: floors, circles, and what importing the package brings with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twisted_dispatcher
from tests import layers
from tests.layers import Floor

PACKAGE = Path(twisted_dispatcher.__file__).parent

# From the ground up. Rooms that are not built yet have their place already.
PLAN = (
    Floor(
        "words",
        (
            "errors",
            "amounts",
            "interfaces",
            "events",
            "options",
            "records",
            "results",
            "chainrecords",
            "chainstore",
            "triggerrecords",
            "triggerstore",
            "sweeprecords",
            "sweepstore",
        ),
    ),
    Floor("brain", ("matching",)),
    Floor(
        "limbs", ("eventlogs", "observers", "runners", "stores", "transports"), knows=("words",)
    ),
    Floor(
        "heart",
        (
            # who is registered, and how an event goes through them
            "registration",
            "firing",
            "registrar",
            "registrations",
            "dispatcher",
            "durable",
        ),
    ),
    Floor("uses", ("feeding", "chains", "triggers", "sources", "status")),
    Floor("house", ("settings", "service", "web")),
    Floor("doors", ("blocking", "cli", "django", "tap", "_twistd")),
    Floor("beside", ("testing",)),
    # The everyday names: nobody inside imports from the front.
    Floor("front", ("__init__",), knows=("words", "brain", "limbs", "heart")),
)
DOORS = frozenset(room for floor in PLAN if floor.name == "doors" for room in floor.rooms)

OPTIONAL = frozenset(
    {
        "celery",
        "click",
        "cloudevents",
        "crochet",
        "defusedxml",
        "django",
        "opentelemetry",
        "pika",
        "prometheus_client",
        "psycopg",
        "psycopg_pool",
        "rich",
        "zope.component",
    }
)
# Importing one of these installs the reactor.
REACTOR_INSTALLERS = frozenset(
    {
        "klein",
        "pika.adapters.twisted_connection",
        "prometheus_client.twisted",
        "twisted.internet.reactor",
        "txredisapi",
    }
)
LIST_LOADED = "import json, sys, twisted_dispatcher; print(json.dumps(sorted(sys.modules)))"


class HouseTests(SynchronousTestCase):
    """The order of twisted_dispatcher itself."""

    def setUp(self) -> None:
        """Read the package, and see that it is the package."""
        self.sources = layers.read_sources(PACKAGE)
        self.assertIn("twisted_dispatcher/__init__.py", self.sources)

    def assertNone(self, complaints: list[str]) -> None:
        """Fail with the complaints, one per line, if there are any."""
        if complaints:
            self.fail("\n" + "\n".join(complaints))

    def test_every_module_has_a_floor(self) -> None:
        """Every module of the package has its place in the plan."""
        self.assertNone(layers.unplaced(self.sources, PLAN))

    def test_modules_know_only_floors_below(self) -> None:
        """A module imports only from its own floor and those below, and a limb only words."""
        self.assertNone(layers.trespasses(self.sources, PLAN))

    def test_no_circles(self) -> None:
        """No module imports, by whatever way, one that imports it."""
        self.assertNone(layers.circles(self.sources))

    def test_only_doors_install_a_reactor(self) -> None:
        """Importing a module that is not a door installs no reactor."""
        doors = {path for path in self.sources if Path(path).parts[1].removesuffix(".py") in DOORS}
        indoors = {path: self.sources[path] for path in self.sources.keys() - doors}

        self.assertNone(layers.eager_imports_of(indoors, REACTOR_INSTALLERS))

    def test_optional_packages_have_one_importer_each(self) -> None:
        """An optional dependency is imported by one module alone, or by one package's modules."""
        self.assertNone(layers.shared(self.sources, OPTIONAL))


class ImportingTests(SynchronousTestCase):
    """What ``import twisted_dispatcher`` loads, seen from an interpreter of its own."""

    def setUp(self) -> None:
        """Import the package in a new interpreter and keep the names of all loaded modules."""
        done = subprocess.run(
            [sys.executable, "-c", LIST_LOADED],
            cwd=PACKAGE.parent,
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        )
        self.loaded = set(json.loads(done.stdout))

    def test_no_optional_package(self) -> None:
        """Importing the package loads none of the optional dependencies."""
        self.assertIn("twisted_dispatcher.dispatcher", self.loaded)
        self.assertEqual(set(), self.loaded & OPTIONAL)

    def test_no_reactor(self) -> None:
        """Importing the package installs no reactor."""
        self.assertIn("twisted_dispatcher.dispatcher", self.loaded)
        self.assertNotIn("twisted.internet.reactor", self.loaded)
