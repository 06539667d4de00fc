"""Circles in a graph of names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def cycles_of(follows: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """
    Find circles: for every one that a walk along the graph comes upon, its names in order.

    The first name of a circle stands at its end again. Each name is walked over once, so that it
    takes time in proportion to the graph; of several circles through a name one is found.

    :param follows: for each name those that it leads to; others may be among these.
    """
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in follows:
        path: list[str] = []
        places: dict[str, int] = {}
        ways = [iter((start,))]
        while ways:
            name = next(ways[-1], None)
            if name is None:
                ways.pop()
                if path:
                    done.add(path[-1])
                    del places[path.pop()]
            elif name in places:
                found.append((*path[places[name] :], name))
            elif name not in done:
                places[name] = len(path)
                path.append(name)
                ways.append(iter(follows.get(name, ())))
    return found
