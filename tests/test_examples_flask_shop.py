"""The example of the shop on the web, in threads of this process and in processes of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

import tests
from examples.flask_shop.pages import create_app
from examples.flask_shop.shop import Shop
from tests.blocking.children import LONGEST
from tests.blocking.threaded import LONG, BlockingTestCase, in_thread
from tests.postgresql import PostgreSQL

BASKET = {"lamp": 2, "rug": 1}
BILL = "Bill for order 7\n2 x lamp\n1 x rug\n"


class FlaskShopTests(BlockingTestCase):
    """The pages of the shop."""

    def shop(self) -> Any:
        """Give a client of a new shop."""
        self.bills = Path(self.mktemp()).absolute()
        self.made = Shop(f"sqlite:///{Path(self.mktemp()).absolute()}", self.bills, LONG)
        self.addCleanup(deferToThread, self.close)
        return create_app(self.made).test_client()

    def close(self) -> None:
        """Close the shop."""
        self.made.connection.close()

    @in_thread
    def test_order(self) -> None:
        """An order is received once, and its bill is written."""
        client = self.shop()
        first = client.put("/orders/7", json=BASKET)
        again = client.put("/orders/7", json=BASKET)
        waited = client.put(f"/orders/7?wait={LONG}", json=BASKET)
        standing = client.get("/orders/7")

        self.assertEqual((202, {"order": 7, "new": True}), (first.status_code, first.json))
        self.assertEqual((202, {"order": 7, "new": False}), (again.status_code, again.json))
        self.assertEqual((200, {"order": 7, "billed": True}), (waited.status_code, waited.json))
        self.assertEqual({"shop.write_bill": "done"}, standing.json["handlers"])
        self.assertEqual(["7.txt"], [each.name for each in self.bills.iterdir()])
        self.assertEqual(BILL, (self.bills / "7.txt").read_text("utf-8"))

    @in_thread
    def test_time_limit(self) -> None:
        """Who does not want to wait for long is told that the order goes on, and it does."""
        client = self.shop()
        go_on = threading.Event()
        write = self.made.write_bill

        def slow(order: Any) -> None:
            go_on.wait(LONG)
            write(order)

        self.made.write_bill = slow  # type: ignore[method-assign]
        hurried = client.put("/orders/7?wait=0.05", json=BASKET)
        go_on.set()
        waited = client.put(f"/orders/7?wait={LONG}", json=BASKET)

        self.assertEqual((202, False), (hurried.status_code, hurried.json["billed"]))
        self.assertEqual((200, True), (waited.status_code, waited.json["billed"]))

    @in_thread
    def test_bad_requests(self) -> None:
        """What is no order is refused, and an order that nobody has sent is not found."""
        client = self.shop()

        self.assertEqual(400, client.put("/orders/7", json=["lamp"]).status_code)
        self.assertEqual(400, client.put("/orders/7?wait=nan", json=BASKET).status_code)
        refused = client.put("/orders/7", json={"\ud800": 1})
        self.assertEqual(400, refused.status_code)
        self.assertIn("basket", refused.json["error"])
        self.assertEqual(404, client.get("/orders/7").status_code)


class Served:
    """The shop, served by a process of its own."""

    def __init__(self, store: str, bills: Path) -> None:
        """Start it, and wait until it serves."""
        root = str(Path(tests.__file__).parent.parent)
        command = [sys.executable, "-m", "examples.flask_shop", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--store", store, "--bills", str(bills)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        self.watchdog = threading.Timer(LONGEST, self.process.kill)
        self.watchdog.start()
        assert self.process.stdout is not None
        found = re.search(r"http://\S+/", self.process.stdout.readline())
        if found is None:
            raise AssertionError(self.end(signal.SIGKILL))
        self.url = found[0]

    def put(self, path: str) -> Any:
        """Send an order."""
        body = json.dumps(BASKET).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(self.url + path, body, headers, method="PUT")
        with urlopen(request, timeout=LONGEST) as answer:
            return json.loads(answer.read())

    def end(self, number: int) -> str:
        """End it with a signal, and give what it has complained of."""
        self.process.send_signal(number)
        _, errors = self.process.communicate()
        self.watchdog.cancel()
        return errors


class ServedTests(PostgreSQL, SynchronousTestCase):
    """The shop as a process that is killed."""

    def store(self) -> str:
        """Give the URL of a SQLite file of the test's own."""
        return f"sqlite:///{Path(self.mktemp()).absolute()}"

    def check_kill(self, store: str) -> None:
        """Kill the shop when it has received an order, and see that the next one writes a bill."""
        bills = Path(self.mktemp()).absolute()
        bills.touch()  # not a directory, so that no bill can be written
        first = Served(store, bills)
        received = first.put("orders/7")
        first.end(signal.SIGKILL)
        bills.unlink()
        second = Served(store, bills)
        again = second.put(f"orders/7?wait={LONG}")
        second.end(signal.SIGKILL)

        self.assertEqual({"order": 7, "new": True}, received)
        self.assertEqual({"order": 7, "billed": True}, again)
        self.assertEqual(BILL, (bills / "7.txt").read_text("utf-8"))

    def test_killed_on_sqlite(self) -> None:
        """With a SQLite file, what a killed shop has received is billed by the next one."""
        self.check_kill(self.store())

    def test_killed_on_postgresql(self) -> None:
        """On PostgreSQL, what a killed shop has received is billed by the next one."""
        self.check_kill(self.make_schema())
