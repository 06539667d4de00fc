"""The shop's pages: a Flask application like any other."""

from __future__ import annotations

from typing import Any

from flask import Flask, abort, request

from examples.flask_shop.shop import Shop
from twisted_dispatcher.errors import CallTimeout, InvalidOptions, NotEncodable


def create_app(shop: Shop) -> Flask:
    """Make the application."""
    app = Flask(__name__)

    @app.put("/orders/<int:number>")
    def order(number: int) -> Any:
        basket = request.get_json()
        if not isinstance(basket, dict):
            abort(400, "an order is an object of what and how many")
        wait = request.args.get("wait", type=float)
        if wait is None:
            accepted = shop.receive(number, basket)
            return {"order": number, "new": accepted.new}, 202
        try:
            return {"order": number, "billed": shop.complete(number, basket, wait)}, 200
        except CallTimeout:
            # It was received, and goes on.
            return {"order": number, "billed": False}, 202

    @app.errorhandler(InvalidOptions)
    @app.errorhandler(NotEncodable)
    def refuse(error: Exception) -> Any:
        # Nobody can wait for so long, or it is no basket that could be written down.
        return {"error": str(error)}, 400

    @app.get("/orders/<int:number>")
    def standing(number: int) -> Any:
        found = shop.standing(number)
        return ({"order": number, "handlers": found}, 200) if found else abort(404)

    return app
