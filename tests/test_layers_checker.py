"""Tests that the checker of floors does catch what it is there to catch."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.layers import (
    Floor,
    circles,
    eager_imports_of,
    imports_of,
    modules_of,
    shared,
    trespasses,
    unplaced,
)

PLAN = (
    Floor("ground", ("words",)),
    Floor("annex", ("left", "right"), knows=("ground",)),
    Floor("middle", ("first", "second")),
    Floor("top", ("door",)),
)


class FloorTests(SynchronousTestCase):
    """Complaints about single imports."""

    def test_downward_import_is_fine(self) -> None:
        """A module may import from any floor below its own."""
        house = {"h/words.py": "", "h/door.py": "from h import words\nimport h.words"}

        self.assertEqual([], trespasses(house, PLAN))

    def test_upward_import(self) -> None:
        """An import from a floor above is complained of with its place and both floors."""
        house = {"h/words.py": "\nfrom h.first import x", "h/first.py": ""}

        (complaint,) = trespasses(house, PLAN)

        self.assertIn("h/words.py:2: words (ground) imports h.first (middle)", complaint)

    def test_every_form_of_import_is_seen(self) -> None:
        """An upward import is caught however it is written."""
        forms = [
            "import h.door",
            "import os, h.door as d",
            "from h import door",
            "from h.door import open",
            "from . import door",
            "from .door import open",
            "def f():\n    from h import door",
            "class C:\n    async def f(self):\n        import h.door",
            "if TYPE_CHECKING:\n    from h.door import Door",
            "try:\n    import h.door\nexcept ImportError:\n    pass",
        ]
        for form in forms:
            house = {"h/__init__.py": "", "h/words.py": form, "h/door.py": ""}
            self.assertEqual(1, len(trespasses(house, PLAN)), form)

    def test_relative_import_from_a_subpackage(self) -> None:
        """Dots are counted from the package that the module is in."""
        house = {
            "h/left/__init__.py": "from ..words import x",
            "h/left/deep.py": "from ..door import open",
            "h/words.py": "",
            "h/door.py": "",
        }

        (complaint,) = trespasses(house, PLAN)

        self.assertIn("h/left/deep.py:1", complaint)

    def test_same_floor_is_fine(self) -> None:
        """Modules of one floor may know each other."""
        house = {"h/first.py": "import h.second", "h/second.py": ""}

        self.assertEqual([], trespasses(house, PLAN))

    def test_narrowed_floor(self) -> None:
        """A floor that may know only some floors may not even know its own neighbours."""
        house = {"h/left.py": "import h.right, h.words", "h/right.py": "", "h/words.py": ""}

        (complaint,) = trespasses(house, PLAN)

        self.assertIn("left (annex) imports h.right (annex)", complaint)

    def test_inside_one_room(self) -> None:
        """Modules of one subpackage may know each other on any floor."""
        house = {"h/left/a.py": "from h.left import b", "h/left/b.py": ""}

        self.assertEqual([], trespasses(house, PLAN))

    def test_unplaced_module(self) -> None:
        """A module that is not in the plan is complained of, with the cure."""
        (complaint,) = unplaced({"h/words.py": "", "h/cellar.py": ""}, PLAN)

        self.assertIn("h/cellar.py", complaint)
        self.assertIn("add it to PLAN", complaint)

    def test_front_is_a_room(self) -> None:
        """The package's own module needs a place as well."""
        (complaint,) = unplaced({"h/__init__.py": ""}, PLAN)

        self.assertIn("'__init__' has no floor", complaint)


class CircleTests(SynchronousTestCase):
    """Complaints about imports that come back."""

    def test_straight_imports(self) -> None:
        """Imports that go one way are no circle."""
        house = {"h/a.py": "import h.b, h.c", "h/b.py": "import h.c", "h/c.py": ""}

        self.assertEqual([], circles(house))

    def test_circle_of_three(self) -> None:
        """A circle is complained of with every module in it."""
        house = {
            "h/a.py": "import h.b",
            "h/b.py": "from h import c",
            "h/c.py": "from .a import x",
        }

        (complaint,) = circles(house)

        for name in house:
            self.assertIn(name[:-3].replace("/", "."), complaint)

    def test_hidden_circle(self) -> None:
        """An import inside a function closes a circle like any other."""
        house = {"h/a.py": "import h.b", "h/b.py": "def f():\n    import h.a"}

        self.assertEqual(1, len(circles(house)))

    def test_circle_through_a_package(self) -> None:
        """Importing from a subpackage's own module counts as importing that module."""
        house = {"h/p/__init__.py": "from h.p.a import x", "h/p/a.py": "from h.p import y"}

        self.assertEqual(1, len(circles(house)))


class ForeignImportTests(SynchronousTestCase):
    """Complaints about packages from outside the house."""

    REACTOR = frozenset({"twisted.internet.reactor"})

    def test_import_at_the_top(self) -> None:
        """A forbidden name imported while importing is complained of."""
        for form in ("from twisted.internet import reactor", "import twisted.internet.reactor"):
            self.assertEqual(1, len(eager_imports_of({"h/a.py": form}, self.REACTOR)), form)

    def test_import_when_needed(self) -> None:
        """The same import inside a function or for types alone is fine."""
        house = {
            "h/a.py": "def f():\n    from twisted.internet import reactor",
            "h/b.py": "if t.TYPE_CHECKING:\n    from twisted.internet import reactor",
        }

        self.assertEqual([], eager_imports_of(house, self.REACTOR))

    def test_similar_name(self) -> None:
        """A name that only begins alike is not meant."""
        house = {"h/a.py": "from twisted.internet import reactors, task"}

        self.assertEqual([], eager_imports_of(house, self.REACTOR))

    def test_two_importers(self) -> None:
        """A package imported by two modules is complained of with both."""
        house = {"h/a.py": "import rich.table", "h/b.py": "from rich import print", "h/c.py": ""}

        (complaint,) = shared(house, frozenset({"rich", "click"}))

        self.assertIn("rich is imported by h/a.py, h/b.py", complaint)

    def test_one_importer(self) -> None:
        """A package imported by one module, however often, is fine."""
        house = {"h/a.py": "import rich.table\nimport rich", "h/b.py": "import richer"}

        self.assertEqual([], shared(house, frozenset({"rich"})))

    def test_importing_package(self) -> None:
        """A package imported by the modules of one package is fine, also by those deeper in it."""
        house = {"h/a/one.py": "import rich", "h/a/b/two.py": "import rich", "h/c/three.py": ""}

        self.assertEqual([], shared(house, frozenset({"rich"})))

    def test_importing_packages(self) -> None:
        """A package imported by the modules of two packages has too many importers."""
        house = {"h/a/one.py": "import rich", "h/c/two.py": "import rich"}

        self.assertEqual(1, len(shared(house, frozenset({"rich"}))))

    def test_deferred_marks(self) -> None:
        """An import tells whether importing its module runs it."""
        module = modules_of({"h/a.py": "import x\ndef f():\n    import y"})["h.a"]

        self.assertEqual(
            [("x", True), ("y", False)], [(each.name, each.eager) for each in imports_of(module)]
        )
