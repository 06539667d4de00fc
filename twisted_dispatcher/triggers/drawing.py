"""
A configuration as a picture: Mermaid text, with the state of a session where one is given.

Pure. Round nodes are triggers, square ones are tasks. A thick arrow is ``andEvery``, a dotted one
``unless``; an arrow from a task is its cascade.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from twisted_dispatcher.triggers.links import TaskLinks, links_of

# Of the statuses of a task's instances, the one that comes first here gives the task its colour.
COLOURS: Mapping[str, str] = {
    "failed": "fill:#f8d7da,stroke:#b02a37",
    "running": "fill:#cfe2ff,stroke:#0a58ca",
    "scheduled": "fill:#e7f1ff,stroke:#0a58ca",
    "unstarted": "fill:#fff3cd,stroke:#997404",
    "finished": "fill:#d1e7dd,stroke:#146c43",
    "skipped": "fill:#e2e3e5,stroke:#6c757d",
    "replayed": "fill:#e2e3e5,stroke:#6c757d",
    "abandoned": "fill:#e2e3e5,stroke:#6c757d,stroke-dasharray:4",
    "fired": "fill:#d1e7dd,stroke:#146c43",
}


def graph(
    configuration: Mapping[str, Any],
    instances: Iterable[tuple[str, str]] | None = None,
    fired: Collection[str] = (),
) -> str:
    """
    Draw what waits for what, as the text of a Mermaid flowchart.

    :param configuration: directives by task, or a session's ``storage.tasks``.
    :param instances: the task and the status of each instance of a session.
    :param fired: the triggers that have fired in it.
    """
    links = links_of(configuration)
    nodes = _nodes(links)
    statuses = _statuses(instances or ())
    classes = {name: _leading(counts) for name, counts in statuses.items() if name in links}
    classes.update((name, "fired") for name in fired if name in nodes and name not in links)
    return "\n".join(
        (
            "flowchart LR",
            *(f"    {line}" for line in _node_lines(nodes, links, statuses)),
            *(f"    {line}" for line in _arrows(nodes, links)),
            *(f"    {line}" for line in _colours(nodes, classes)),
            "",
        )
    )


def graph_of(storage: Any) -> str:
    """Draw a session as it stood when its storage was loaded."""
    instances = ((each.task_name, each.status) for each in storage.instances.values())
    return graph(storage.tasks, instances, storage.latest_kwargs.keys())


def _nodes(links: Mapping[str, TaskLinks]) -> dict[str, str]:
    """Number triggers and tasks: names may hold what has a meaning in Mermaid."""
    names = dict.fromkeys(trigger for task in links.values() for trigger in task.triggers)
    triggers = [name for name in names if name not in links]
    nodes = {name: f"trigger{number}" for number, name in enumerate(triggers)}
    nodes.update((name, f"task{number}") for number, name in enumerate(links))
    return nodes


def _statuses(instances: Iterable[tuple[str, str]]) -> dict[str, Counter[str]]:
    statuses: dict[str, Counter[str]] = {}
    for task, status in instances:
        statuses.setdefault(task, Counter())[status] += 1
    return statuses


def _leading(counts: Counter[str]) -> str:
    return min(counts, key=lambda status: [*COLOURS, status].index(status))


def _node_lines(
    nodes: Mapping[str, str],
    links: Mapping[str, TaskLinks],
    statuses: Mapping[str, Counter[str]],
) -> Iterator[str]:
    for name, node in nodes.items():
        if name in links:
            counts = statuses.get(name, Counter())
            told = (f"{count} {_text(status)}" for status, count in sorted(counts.items()))
            yield f'{node}["{"<br/>".join((_text(name), *told))}"]'
        else:
            yield f'{node}(["{_text(name)}"])'


def _arrows(nodes: Mapping[str, str], links: Mapping[str, TaskLinks]) -> Iterator[str]:
    for task in links.values():
        for trigger in task.after:
            arrow = "==>|and every|" if trigger == task.and_every else "-->"
            yield f"{nodes[trigger]} {arrow} {nodes[task.name]}"
        for trigger in task.unless:
            yield f"{nodes[trigger]} -.->|unless| {nodes[task.name]}"


def _colours(nodes: Mapping[str, str], classes: Mapping[str, str]) -> Iterator[str]:
    for status, colour in COLOURS.items():
        coloured = [node for name, node in nodes.items() if classes.get(name) == status]
        if coloured:
            yield f"classDef {status} {colour}"
            yield f"class {','.join(coloured)} {status}"


def _text(name: str) -> str:
    """Write a name so that nothing in it has a meaning: as entities of Mermaid where needed."""
    return "".join(
        character if character.isalnum() or character in " _-.:/" else f"#{ord(character)};"
        for character in str(name)
    )


def status_diagram(moves: Mapping[tuple[str, str], str], resolved: Collection[str]) -> str:
    """
    Draw the statuses of an instance and the moves between them, as a Mermaid state diagram.

    :param moves: from a status, by what happens, to a status; see `statuses.MOVES`.
    :param resolved: the statuses at which an instance is done with.
    """
    first = next(iter(moves))[0]
    lines = [f"[*] --> {first}"]
    lines += [f"{before} --> {after}: {what}" for (before, what), after in moves.items()]
    lines += [
        f"{status} --> [*]" for status in dict.fromkeys(moves.values()) if status in resolved
    ]
    return "\n".join(("stateDiagram-v2", *(f"    {line}" for line in lines), ""))
