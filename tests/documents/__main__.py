"""Runs one document: ``python -m tests.documents DOCUMENT CHECKOUT DIRECTORY``."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.documents.apart import run_here

if __name__ == "__main__":
    document, checkout, directory = map(Path, sys.argv[1:])
    run_here(document, checkout, directory)
