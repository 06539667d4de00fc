"""
Cycles of a graph; pure.

A graph may have more cycles than could ever be listed. So one is given for each knot (a set of
nodes that can all reach one another): the shortest through its first node. When that one is
broken, the next one shows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

Graph = Mapping[str, Sequence[str]]


def cycles_in(graph: Graph) -> Iterator[tuple[str, ...]]:
    """Give a cycle of each knot, each node followed by the one that comes after it."""
    backwards = _reversed(graph)
    seen: set[str] = set()
    for start in graph:
        if start in seen:
            continue
        came_from = _reach(graph, start)
        if start in came_from:
            yield _way(came_from, start)
            seen.update(came_from.keys() & _reach(backwards, start).keys())


def _reversed(graph: Graph) -> Graph:
    backwards: dict[str, list[str]] = {node: [] for node in graph}
    for node, others in graph.items():
        for other in others:
            backwards[other].append(node)
    return backwards


def _reach(graph: Graph, start: str) -> dict[str, str]:
    """Give what is reached, breadth first, each with the node from which it was reached first."""
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for other in graph[node]:
            if other not in came_from:
                came_from[other] = node
                queue.append(other)
    return came_from


def _way(came_from: Mapping[str, str], start: str) -> tuple[str, ...]:
    """Give the way by which a node was reached from itself."""
    way = [came_from[start]]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return tuple(reversed(way))
