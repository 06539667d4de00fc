"""Lets ``python -m examples.flask_shop`` serve the shop on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from werkzeug.serving import make_server

from examples.flask_shop.pages import create_app
from examples.flask_shop.shop import Shop


def main() -> None:
    """Serve until somebody presses Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m examples.flask_shop")
    parser.add_argument("--store", default="sqlite:///shop.db", help="the URL of the store")
    parser.add_argument("--bills", default="bills", type=Path, help="a directory for the bills")
    parser.add_argument("--port", default=8080, type=int, help="0 takes one that is free")
    options = parser.parse_args()
    shop = Shop(options.store, options.bills)
    server = make_server("127.0.0.1", options.port, create_app(shop), threaded=True)
    # What an earlier process has left is gone on with now, and not at the first order.
    print(f"the shop is at http://127.0.0.1:{server.port}/", f"({shop.connection})", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
