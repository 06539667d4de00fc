"""
How an event goes through its handlers: the loop, what handlers answer, and what is waited for.

`loop` is where to begin reading. `signature` is the quickest way through, for the common case;
`calls` is how a handler's options are kept; `ordering`, `waiting`, `watching` and `stopping` are
one feature each.
"""
