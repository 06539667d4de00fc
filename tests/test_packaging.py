"""Tests that what the project says of itself in several files is the same everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tomli
from twisted.trial.unittest import SynchronousTestCase

CHECKOUT = Path(__file__).resolve().parent.parent
FOR_THE_PROJECT = {"test", "docs", "types", "lint", "benchmark", "release", "dev"}


def text_of(name: str) -> str:
    """Give the text of a file of the checkout."""
    return (CHECKOUT / name).read_text(encoding="utf-8")


class ProjectTests(SynchronousTestCase):
    """The facts of pyproject.toml, held against the other files."""

    def setUp(self) -> None:
        """Read pyproject.toml."""
        self.project: dict[str, Any] = tomli.loads(text_of("pyproject.toml"))["project"]

    def extras_in(self, extra: str) -> set[str]:
        """Give the extra and all that it includes."""
        included = re.findall(
            r"twisted_dispatcher\[(.*?)\]", " ".join(self.project["optional-dependencies"][extra])
        )
        names = {name for group in included for name in group.split(",")}
        return {extra}.union(*map(self.extras_in, names))

    def test_oldest_releases_are_the_lower_bounds(self) -> None:
        """The oldest releases that are tested are those that pyproject.toml promises."""
        pinned = dict(re.findall(r"^([\w.]+)==([\d.]+)", text_of(".ci/oldest.txt"), re.MULTILINE))

        extras = self.project["optional-dependencies"]
        django = [each.capitalize() for each in extras["django"] if each.startswith("django")]
        requirements = self.project["dependencies"] + django
        promised = dict(requirement.split(">=") for requirement in requirements)

        self.assertEqual(promised.keys(), pinned.keys())
        for name, version in promised.items():
            self.assertTrue(f"{pinned[name]}.".startswith(f"{version}."), (name, pinned[name]))

    def test_dev_is_everything(self) -> None:
        """The extra ``dev`` includes every other one."""
        self.assertEqual(set(self.project["optional-dependencies"]), self.extras_in("dev"))

    def test_tests_cover_all_that_users_install(self) -> None:
        """The extra ``test`` includes every extra that is meant for users."""
        for_users = self.project["optional-dependencies"].keys() - FOR_THE_PROJECT

        self.assertIn("cli", for_users)
        self.assertEqual(set(), for_users - self.extras_in("test"))

    def test_extras_bring_others(self) -> None:
        """What make does not install once more was brought along by the extra before it."""
        brought = re.findall(r"^BROUGHT_BY_(\w+) := (.+)$", text_of("Makefile"), re.MULTILINE)

        self.assertIn("test", dict(brought))
        for extra, others in brought:
            self.assertLessEqual({*others.split()}, self.extras_in(extra))

    def test_pythons(self) -> None:
        """Every Python that is promised is tested by tox, and no other."""
        promised = re.findall(r":: (3\.\d+)", " ".join(self.project["classifiers"]))

        (tested,) = re.findall(r"py\{(.*?)\}", text_of("tox.ini"))

        self.assertEqual([each.replace(".", "") for each in promised], tested.split(","))
        self.assertEqual(f">={promised[0]}", self.project["requires-python"])

    def test_one_ruff(self) -> None:
        """Tox and make check the style with the same ruff."""
        (ruff,) = self.project["optional-dependencies"]["lint"]

        self.assertIn(f"deps = {ruff}\n", text_of("tox.ini"))
