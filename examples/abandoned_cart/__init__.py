"""
A shop that reminds its customers of what they have left in their carts.

    python -m examples.abandoned_cart

Each cart is one chain: after two days without a change its owner is reminded, a week later once
more, and after another week the cart is given up. Whoever buys is left in peace. `shop` knows the
carts, `transitions` says what leads on from where, `mailing` writes to people, and `story` lets
three weeks pass in less than a second, with a mail server (`sink`) that delivers to a list.
"""
