"""Runs the Python of a document, in the one namespace that the document has."""

from __future__ import annotations

import contextlib
import doctest
import functools
import io
import re
import traceback
from typing import Any

from attrs import Factory, define

from tests.documents.blocks import Block

COMPARISON = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

_GUARD = re.compile(r"^if __name__ == ", re.MULTILINE)


@functools.cache
def join_crochet() -> None:
    """Make crochet use the reactor that runs already: ``setup()`` then starts no other.

    Once per process, before anything else calls ``setup()``. What uses ``wait_for`` must then run
    in a thread other than the reactor's.
    """
    import crochet

    crochet.no_setup()


@define
class Interpreter:
    """Where the sessions and fragments of one document run; `examples` counts its prompts."""

    document: str
    namespace: dict[str, Any] = Factory(lambda: {"__name__": "__main__"})
    examples: int = 0

    def run_session(self, block: Block) -> list[str]:
        """Run what stands at the prompts; complain of each answer that is not as shown."""
        # Each session has its own name: in a traceback doctest takes code of another one for code
        # of the one that is running, if they have the same.
        test = doctest.DocTestParser().get_doctest(
            block.text, {}, f"{self.document}:{block.line}", self.document, block.line - 1
        )
        # A doctest copies the namespace that it is given: functions of one session would then not
        # see what the next one defines.
        test.globs = self.namespace
        runner = doctest.DocTestRunner(verbose=False, optionflags=COMPARISON)
        complaints: list[str] = []
        runner.run(test, out=complaints.append, clear_globs=False)
        self.examples += runner.tries
        return complaints

    def run_fragment(self, block: Block) -> list[str]:
        """Run code without prompts; what it prints is not looked at."""
        lined_up = "\n" * (block.line - 1) + block.text
        try:
            code = compile(lined_up, self.document, "exec", dont_inherit=True)
            with contextlib.redirect_stdout(io.StringIO()):
                exec(code, self.namespace)
        except Exception:
            return [f"{self.document}:{block.line}: fails\n{traceback.format_exc(limit=-3)}"]
        return []


def is_program(block: Block) -> bool:
    """Tell whether the code is meant to be run as a file of its own."""
    return _GUARD.search(block.text) is not None
