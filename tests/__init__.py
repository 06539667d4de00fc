"""The tests of twisted_dispatcher; trial runs them."""
