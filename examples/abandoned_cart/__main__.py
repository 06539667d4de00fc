"""Lets ``python -m examples.abandoned_cart`` tell the story."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from examples.abandoned_cart.story import Told, play


async def main(reactor: Any) -> None:
    """Let the story happen and print what came of it."""
    told = await play(reactor)
    print(text_of(told), end="")


def text_of(told: Told) -> str:
    """Tell the story to people."""
    lines = [f"day {day:4.1f}  to {who}: {subject}" for day, who, subject in told.mails]
    lines.append("")
    for name, state in told.states.items():
        made = ", ".join(told.histories[name])
        lines.append(f"{name:4}  {state:26}  by {made}")
    return "\n".join(lines) + "\n\n" + told.graph


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
