"""Executes the documents of the project, so that nothing they say can go stale unseen.

A document is read into blocks (`blocks`), and each block is held to what its language promises:

- ``python`` and ``pycon``: sessions with prompts are doctests, other code is run (`sessions`);
- ``console``: what follows ``$`` is run by a shell, and its output compared (`console`);
- data such as ``json``: it can be parsed (`data`).

All blocks of a document share one namespace and one directory, in the order in which a reader
meets them (`running`). Two comments are understood directly above a block, ``<!-- like: this -->``
in Markdown and ``.. like: this`` in reStructuredText:

- ``file: NAME`` saves the block under that name for the commands that follow;
- ``exit status: N`` says that the commands of a console block fail, and how.

One is understood anywhere: ``django: SETTINGS`` has the whole document run in a process of its
own, where Django is set up with these settings (`apart`).
"""
