"""Holds a package against a plan of floors.

A package is a house: each module lives on a floor and may know only what lives below. The plan is
a table, the package a mapping from the paths of its modules to their sources, and every check a
pure function that gives its complaints as text, so that they can be tried on houses made up for
the purpose.

An import counts wherever it stands, inside a function and under ``TYPE_CHECKING`` as well: it is
*knowing* another module that the floors are about, and hiding an import does not undo a circle.
Only what happens while a module is being imported is asked by `eager_imports_of`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath

from attrs import frozen

Sources = Mapping[str, str]


@frozen
class Floor:
    """The modules and subpackages that live side by side; `knows` narrows what is below them."""

    name: str
    rooms: tuple[str, ...]
    knows: tuple[str, ...] | None = None


@frozen
class Module:
    """One module of the house, by its full name."""

    path: str
    name: str
    is_package: bool
    tree: ast.Module

    @property
    def room(self) -> str:
        """The part of the name that the plan speaks of: the one after the house's own."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else "__init__"


@frozen
class Import:
    """That one module names another; `eager` if it does so while it is being imported."""

    name: str
    line: int
    eager: bool


def read_sources(package: Path) -> dict[str, str]:
    """Give the text of every module of the package, by its path from the package's parent."""
    return {
        path.relative_to(package.parent).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(package.rglob("*.py"))
    }


def modules_of(sources: Sources) -> dict[str, Module]:
    """Parse the sources and give the modules by their names."""
    modules = [_module(path, text) for path, text in sources.items()]
    return {module.name: module for module in modules}


def _module(path: str, text: str) -> Module:
    parts = PurePosixPath(path).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    return Module(path, name, is_package, ast.parse(text, path))


def imports_of(module: Module) -> Iterator[Import]:
    """Give everything that the module imports; ``from a import b`` gives ``a.b``."""
    return _imports_in(module.tree, module, eager=True)


def _imports_in(node: ast.AST, module: Module, *, eager: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, eager)
        elif isinstance(child, ast.ImportFrom):
            for alias in child.names:
                yield Import(f"{_origin(child, module)}.{alias.name}", child.lineno, eager)
        else:
            yield from _imports_in(child, module, eager=eager and not _is_deferred(child))


def _origin(node: ast.ImportFrom, module: Module) -> str:
    """Give the absolute name of what a ``from`` names, be it relative or not."""
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    kept = len(parts) - node.level + (1 if module.is_package else 0)
    return ".".join([*parts[:kept], *filter(None, [node.module])])


def _is_deferred(node: ast.AST) -> bool:
    """Tell whether what stands inside is not run by importing: a function, a block for types."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING"
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))


def neighbours(module: Module, modules: Mapping[str, Module]) -> Iterator[tuple[Module, int]]:
    """Give the modules of the same house that this one imports, with the lines."""
    for each in imports_of(module):
        name = each.name if each.name in modules else each.name.rpartition(".")[0]
        if name in modules and name != module.name:
            yield modules[name], each.line


def unplaced(sources: Sources, plan: tuple[Floor, ...]) -> list[str]:
    """Complain of modules that the plan gives no floor."""
    placed = {room for floor in plan for room in floor.rooms}
    return [
        f"{module.path}: {module.room!r} has no floor; add it to PLAN in tests/test_layers.py, on "
        f"the lowest floor that is above everything it imports"
        for module in modules_of(sources).values()
        if module.room not in placed
    ]


def trespasses(sources: Sources, plan: tuple[Floor, ...]) -> list[str]:
    """Complain of imports from a floor that the importer's floor may not know."""
    modules = modules_of(sources)
    floors = {room: floor for floor in plan for room in floor.rooms}
    known = {floor.name: _known(floor, plan) for floor in plan}
    return [
        f"{module.path}:{line}: {module.room} ({own.name}) imports {other.name} ({its.name}); "
        f"{own.name} may know only {', '.join(sorted(known[own.name])) or 'itself'}: "
        f"move what both need down, or pass it in"
        for module in modules.values()
        for other, line in neighbours(module, modules)
        if (own := floors.get(module.room)) and (its := floors.get(other.room))
        if module.room != other.room and its.name not in known[own.name]
    ]


def _known(floor: Floor, plan: tuple[Floor, ...]) -> set[str]:
    """Give the floors that this one may import from; limbs, narrowed, not even from each other."""
    if floor.knows is not None:
        return set(floor.knows)
    return {each.name for each in plan[: plan.index(floor) + 1]}


def circles(sources: Sources) -> list[str]:
    """Complain of the first circle of imports that is found, if there is one."""
    modules = modules_of(sources)
    graph = {
        name: {other.name for other, _ in neighbours(module, modules)}
        for name, module in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [f"these import each other in a circle: {' <- '.join(error.args[1])}"]
    return []


def eager_imports_of(sources: Sources, names: frozenset[str]) -> list[str]:
    """Complain of modules that import one of the names while they are being imported."""
    return [
        f"{module.path}:{each.line}: {each.name} is imported at the top; import it inside the "
        f"function that needs it"
        for module in modules_of(sources).values()
        for each in imports_of(module)
        if each.eager and any(f"{each.name}.".startswith(f"{name}.") for name in names)
    ]


def shared(sources: Sources, names: frozenset[str]) -> list[str]:
    """Complain of optional packages that more than one module imports, unless one package does."""
    importers: dict[str, set[str]] = {}
    for module in modules_of(sources).values():
        for each in imports_of(module):
            for name in names:
                if f"{each.name}.".startswith(f"{name}."):
                    importers.setdefault(name, set()).add(module.path)
    return [
        f"{name} is imported by {', '.join(sorted(paths))}; let one module import it, and the "
        f"others that one"
        for name, paths in sorted(importers.items())
        if len(paths) > 1 and not _are_of_one_package(paths)
    ]


def _are_of_one_package(paths: Iterable[str]) -> bool:
    """Tell whether modules are those of one package within the whole, and of those in it."""
    packages = {PurePosixPath(path).parent for path in paths}
    outermost = min(packages, key=lambda each: len(each.parts))
    return len(outermost.parts) > 1 and all(each.is_relative_to(outermost) for each in packages)
