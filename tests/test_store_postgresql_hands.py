"""Tests of the threads of a PostgreSQL store; no server is needed."""

from __future__ import annotations

import subprocess
import sys
from queue import SimpleQueue
from threading import Thread, current_thread
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_dispatcher.stores.postgresql.hands import Hands

LIMIT = 60.0
# The main thread ends; another one, which the program waits for, has work done after that.
PROGRAM = """
import threading
from twisted_dispatcher.stores.postgresql.hands import Hands

def drain():
    threading.main_thread().join()
    done = threading.Event()
    hands.submit(done.set)
    print(done.wait(60))

hands = Hands(2, "hands")
threading.Thread(target=drain).start()
"""


class HandsTests(SynchronousTestCase):
    """Work, and the end of it."""

    def test_works(self) -> None:
        """Work is done in other threads, no more of them than are allowed."""
        hands = Hands(2, "hands")
        self.addCleanup(hands.shutdown)
        threads: SimpleQueue[Thread] = SimpleQueue()
        for _ in range(20):
            hands.submit(lambda given: given.put(current_thread()), threads)

        found = {threads.get(timeout=LIMIT) for _ in range(20)}

        self.assertNotIn(current_thread(), found)
        self.assertLessEqual(len(found), 2)

    def test_ends(self) -> None:
        """The threads do what they were given, and end; nothing can be given to them then."""
        hands = Hands(1, "hands")
        done: SimpleQueue[Any] = SimpleQueue()
        hands.submit(done.put, current_thread)
        hands.submit(lambda: done.put(current_thread()))
        hands.shutdown()
        hands.shutdown()

        done.get(timeout=LIMIT)
        thread = done.get(timeout=LIMIT)
        thread.join(LIMIT)

        self.assertFalse(thread.is_alive())
        self.assertRaises(RuntimeError, hands.submit, done.put, None)

    def test_works_after_the_main_thread(self) -> None:
        """Work is done when the main thread has ended, as long as anybody waits for it."""
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=LIMIT
        )

        self.assertEqual(done.stdout, "True\n", done.stderr)
