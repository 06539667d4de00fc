"""
The command `twisted-dispatcher`.

`commands` has what a user may write (click), `screen` what is shown (rich), `application` finds
the user's application, and `running` runs it under the reactor.
"""

from __future__ import annotations

import sys

from twisted_dispatcher.errors import MissingExtra

_OURS = ("click", "rich")


def main() -> None:
    """Run the command, or say what must be installed for it."""
    try:
        from twisted_dispatcher.cli.commands import command
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _OURS:
            raise
        sys.exit(f"twisted-dispatcher: {MissingExtra(str(error.name), 'this command', 'cli')}")
    command(prog_name="twisted-dispatcher")
