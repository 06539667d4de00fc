"""Lets setuptools build the package; its metadata is in pyproject.toml.

This file is kept, and kept empty, for what pyproject.toml cannot express: a package whose files
lie elsewhere in the tree, as a ``twisted.plugins`` drop-in does, has to be named from code.
"""

from setuptools import setup

setup()
