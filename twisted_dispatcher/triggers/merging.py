"""Merging mappings: what a task is given are its params and, over them, the kwargs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_dict(*mappings: Mapping[Any, Any] | None) -> dict[Any, Any]:
    """Merge mappings at their first level; later ones win."""
    merged: dict[Any, Any] = {}
    for each in mappings:
        merged.update(each or {})
    return merged


def merge_dict_recursive(*mappings: Mapping[Any, Any] | None) -> dict[Any, Any]:
    """Merge mappings at all levels; later ones win. What is no mapping is replaced as a whole."""
    merged: dict[Any, Any] = {}
    for mapping in mappings:
        for key, value in (mapping or {}).items():
            before = merged.get(key)
            if isinstance(before, Mapping) and isinstance(value, Mapping):
                merged[key] = merge_dict_recursive(before, value)
            elif isinstance(value, Mapping):
                merged[key] = merge_dict_recursive(value)
            else:
                merged[key] = value
    return merged
