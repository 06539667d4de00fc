"""Tests of how blocks are read out of documents."""

from __future__ import annotations

from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from tests.documents.blocks import Block, UnreadableDocument, blocks_of
from tests.documents.console import Command, commands_of
from tests.documents.data import PARSERS

MARKDOWN = """\
# Title

Prose with ```inline``` code.

```python
>>> 1 + 1
2
```

- A list:

    ```json
    {"a": 1}
    ```

~~~~text
```python
~~~~
"""

RESTRUCTURED = """\
Title
=====

.. note::
   Prose, std::

.. code-block:: python
   :caption: one

   x = 1

   y = 2

Then, in prose:

>>> x + y
3

>>> x
1
..
   A comment.
"""


def markdown(text: str) -> list[Block]:
    """Give the blocks of a Markdown text that may be indented."""
    return blocks_of("fake.md", dedent(text))


def restructured(text: str) -> list[Block]:
    """Give the blocks of a reStructuredText that may be indented."""
    return blocks_of("fake.rst", dedent(text))


class MarkdownTests(SynchronousTestCase):
    """Blocks of Markdown."""

    def test_fences(self) -> None:
        """Every fence gives its language, its text without indentation, and its line."""
        self.assertEqual(
            [
                Block("python", ">>> 1 + 1\n2\n", 6),
                Block("json", '{"a": 1}\n', 13),
                Block("text", "```python\n", 17),
            ],
            blocks_of("fake.md", MARKDOWN),
        )

    def test_no_language(self) -> None:
        """A fence without a language is a block of no language, not prose."""
        self.assertEqual([Block("", "x\n", 2)], markdown("```\nx\n```\n"))

    def test_not_closed(self) -> None:
        """A fence that is never closed is refused with its line."""
        error = self.assertRaises(UnreadableDocument, markdown, "\n```python\n1\n")

        self.assertIn("line 2", str(error))

    def test_marks(self) -> None:
        """Comments directly above a fence are its marks."""
        (block,) = markdown("<!-- file: a.json -->\n<!-- exit status: 2 -->\n\n```json\n1\n```\n")

        self.assertEqual({"file": "a.json", "exit status": "2"}, block.marks)

    def test_marks_do_not_reach_over_prose(self) -> None:
        """A comment with prose between it and the fence marks nothing."""
        (block,) = markdown("<!-- file: a.json -->\nSo:\n```json\n1\n```\n")

        self.assertEqual({}, block.marks)

    def test_marks_do_not_reach_the_second_block(self) -> None:
        """A comment marks one block only."""
        _, second = markdown("<!-- file: a -->\n```text\n1\n```\n\n```text\n2\n```\n")

        self.assertEqual({}, second.marks)


class RestructuredTextTests(SynchronousTestCase):
    """Blocks of reStructuredText."""

    def test_directives_and_prompts(self) -> None:
        """Code directives and bare prompts are blocks; other directives and comments are not."""
        self.assertEqual(
            [
                Block("python", "x = 1\n\ny = 2\n", 10),
                Block("pycon", ">>> x + y\n3\n", 16),
                Block("pycon", ">>> x\n1\n..\n   A comment.\n", 19),
            ],
            blocks_of("fake.rst", RESTRUCTURED),
        )

    def test_inside_another_directive(self) -> None:
        """A code directive is found at any depth, and ends where its indentation does."""
        blocks = restructured(
            """\
            .. note::

               .. code-block:: json

                  1

               Prose.
            """
        )

        self.assertEqual([Block("json", "1\n", 5)], blocks)

    def test_literal_block(self) -> None:
        """A literal block, which cannot name a language, is a block of no language."""
        self.assertEqual([Block("", "x\n", 3)], restructured("Look::\n\n   x\n"))

    def test_no_language(self) -> None:
        """A directive without a language is a block of no language."""
        self.assertEqual([Block("", "x\n", 3)], restructured(".. code-block::\n\n   x\n"))

    def test_marks(self) -> None:
        """Comments directly above a block are its marks."""
        (block,) = restructured(".. exit status: 2\n\n.. code-block:: console\n\n   $ false\n")

        self.assertEqual({"exit status": "2"}, block.marks)


class CommandTests(SynchronousTestCase):
    """The commands of a console block."""

    def test_commands_and_output(self) -> None:
        """What follows a prompt is a command, what follows that is its output."""
        block = Block("console", "$ one\n$ two\na\n\nb\n", 7)

        self.assertEqual(
            [Command("one", 7), Command("two", 8, "a\n\nb\n")],
            commands_of(block),
        )

    def test_continuation(self) -> None:
        """A second prompt or a backslash continues a command."""
        block = Block("console", "$ cat <<END\n> text\n> END\n$ echo \\\n    a\na\n", 1)

        self.assertEqual(
            [Command("cat <<END\ntext\nEND", 1), Command("echo \\\n    a", 4, "a\n")],
            commands_of(block),
        )

    def test_output_without_a_command(self) -> None:
        """A console block that does not begin with a command is refused with its line."""
        error = self.assertRaises(ValueError, commands_of, Block("console", "make\n", 4))

        self.assertIn("line 4", str(error))


class DataTests(SynchronousTestCase):
    """The parsers of data."""

    GOOD = {
        "csv": "a,b\n1,2\n",
        "json": "[1]",
        "jsonl": '{"a": 1}\n{"a": 2}\n',
        "toml": "a = 1\n",
        "xml": "<a><b/></a>",
    }
    BAD = {
        "csv": "a,b\n1\n",
        "json": "[1",
        "jsonl": '{"a": 1}\n{"a"\n',
        "toml": "a = \n",
        "xml": "<a><b></a>",
    }

    def test_good_data(self) -> None:
        """Every parser takes well formed data."""
        self.assertEqual(PARSERS.keys(), self.GOOD.keys())
        for language, text in self.GOOD.items():
            PARSERS[language](text)

    def test_bad_data(self) -> None:
        """Every parser refuses malformed data."""
        self.assertEqual(PARSERS.keys(), self.BAD.keys())
        for language, text in self.BAD.items():
            # SyntaxError is what the XML parser's errors are.
            self.assertRaises((ValueError, SyntaxError), PARSERS[language], text)
