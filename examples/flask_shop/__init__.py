"""
A shop on the web: a synchronous Flask application whose orders are not forgotten.

    python -m examples.flask_shop --store sqlite:///shop.db --bills bills

It answers at once that an order was received, and writes the bill afterwards. When the process is
killed in between, the bill is written when the application runs again; an order that is sent twice
has one bill.
"""
