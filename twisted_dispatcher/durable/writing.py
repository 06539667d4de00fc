"""
How values become JSON: native ones as they are, others in a form that is read back equal.

That a value comes back equal is proven while it is written, by exact type: a form keeps all values
of its type, and no subclass is taken for that type. Only objects of the classes that users have
registered are read back and compared, since their constructors and functions may do anything.
"""

from __future__ import annotations

import json.encoder
from collections.abc import Callable
from json import JSONEncoder
from typing import Any, Final

from twisted_dispatcher.durable.classes import Registry, full_name
from twisted_dispatcher.durable.culprits import in_words, invalid_in_json, unknown_type
from twisted_dispatcher.durable.forms import ATOMS, MAX_DEPTH, SCALAR_WRITERS, TAG, Tagged
from twisted_dispatcher.errors import NotEncodable

# So many levels may be written without a tree of them: an event, and its context.
SHALLOW: Final = 2

# Objects with what was written of them, which must be read back before they are accepted.
_Doubts = list[tuple[Any, Tagged]]

_encoder = JSONEncoder(allow_nan=False, check_circular=False, separators=(",", ":"))


def _kept_encoder() -> Callable[[Any], str]:
    """
    Give a function that does what `JSONEncoder.encode` does, and keeps what does it.

    The encoder itself makes that anew for every call, which for a small event costs more than to
    encode it. Where it is not there, as on PyPy, the encoder is fast as it is.
    """
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _encoder.encode
    flags = (_encoder.sort_keys, _encoder.skipkeys, _encoder.allow_nan)
    text = json.encoder.encode_basestring_ascii
    chunks_of = make(None, _encoder.default, text, None, ":", ",", *flags)
    return lambda tree: "".join(chunks_of(tree, 0))


_to_json = _kept_encoder()
_quoted = json.encoder.encode_basestring_ascii
_is_text, _are_atoms = frozenset({str}).issuperset, ATOMS.issuperset


def _is_plain(value: Any) -> bool:
    """Tell whether a value is a dict that JSON writes and reads as it is, and holds no others."""
    return (
        type(value) is dict
        and _are_atoms(map(type, value.values()))
        and _is_text(map(type, value))
        and TAG not in value
    )


_to_unescaped_json = JSONEncoder(ensure_ascii=False, check_circular=False).encode


class Writer:
    """Writes values as JSON, or refuses them."""

    def __init__(self, registry: Registry, read: Callable[[str], Any]) -> None:
        """:param read: reads JSON that the writer has written."""
        self._registry = registry
        self._read = read
        self._containers: dict[type, Callable[[Any, int, _Doubts], Any]] = {
            dict: self._write_dict,
            list: self._write_list,
            tuple: self._write_tuple,
            set: self._write_set,
            frozenset: self._write_set,
        }

    def text(self, value: Any, depth: int = 1) -> str:
        """
        Write a value that stands at a depth, as JSON.

        :raises NotEncodable: without the path to the culprit, if it could not be read back equal.
        """
        doubts: _Doubts = []
        trees: list[Any] = []
        try:
            text = self._text(value, depth, doubts, trees)
            if "\\ud" in text:
                # Perhaps half of a pair of surrogates, which cannot be written as UTF-8.
                _to_unescaped_json(trees).encode()
        except NotEncodable:
            raise
        except ValueError:
            raise NotEncodable(invalid_in_json(value)) from None
        for doubt in doubts:
            self._dispel(*doubt)
        return text

    def _text(self, value: Any, depth: int, doubts: _Doubts, trees: list[Any]) -> str:
        """
        Write a value as JSON: what `_write` makes of it, and without that where it is simple.

        Most events are dicts of texts and numbers, which stand for themselves, or `Event` objects
        around such a dict.

        :param trees: gets what has become text.
        """
        kind = type(value)
        if kind is str:
            trees.append(value)
            return _quoted(value)
        if value is None:
            return "null"
        if depth <= SHALLOW:
            if _is_plain(value):
                trees.append(value)
                return _to_json(value)
            form = self._registry.form_for(kind)
            if form is not None and form.text is not None:
                try:
                    return form.text(
                        value, lambda part: self._text(part, depth + 1, doubts, trees)
                    )
                except AttributeError:
                    # It was never made whole: of that the longer way complains.
                    pass
        tree = self._write(value, depth, doubts)
        trees.append(tree)
        return _to_json(tree)

    def _write(self, value: Any, depth: int, doubts: _Doubts) -> Any:
        kind = type(value)
        if kind in ATOMS:
            return value
        write_scalar = SCALAR_WRITERS.get(kind)
        if write_scalar is not None:
            return write_scalar(value)
        if depth > MAX_DEPTH:
            raise NotEncodable(f"is more than {MAX_DEPTH} levels deep inside: make it flatter")
        write_container = self._containers.get(kind) or self._write_object
        return write_container(value, depth + 1, doubts)

    def _write_dict(self, value: dict[Any, Any], depth: int, doubts: _Doubts) -> Tagged:
        for key in value:
            if type(key) is not str or key == TAG:
                return self._write_pairs(value, depth, doubts)
        written = value
        for key, item in value.items():
            if type(item) not in ATOMS:
                if written is value:
                    written = value.copy()
                written[key] = self._write(item, depth, doubts)
        return written

    def _write_pairs(self, value: dict[Any, Any], depth: int, doubts: _Doubts) -> Tagged:
        pairs = [self._write_list(pair, depth, doubts) for pair in value.items()]
        return {TAG: "dict", "is": pairs}

    def _write_list(self, value: Any, depth: int, doubts: _Doubts) -> list[Any]:
        write = self._write
        return [item if type(item) in ATOMS else write(item, depth, doubts) for item in value]

    def _write_tuple(self, value: tuple[Any, ...], depth: int, doubts: _Doubts) -> Tagged:
        return {TAG: "tuple", "is": self._write_list(value, depth, doubts)}

    def _write_set(self, value: Any, depth: int, doubts: _Doubts) -> Tagged:
        """Write a set in an order that does not depend on hashes."""
        items = self._write_list(value, depth, doubts)
        items.sort(key=None if {*map(type, items)} == {str} else _to_json)
        return {TAG: type(value).__name__, "is": items}

    def _write_object(self, value: Any, depth: int, doubts: _Doubts) -> Tagged:
        form = self._registry.form_for(type(value))
        if form is None:
            raise NotEncodable(unknown_type(value))
        try:
            parts = form.parts(value)
        except NotEncodable:
            # Whoever takes it apart says why that cannot be.
            raise
        except Exception as error:
            raise NotEncodable(f"cannot be taken apart: {in_words(error)}") from error
        written = {TAG: form.name, **parts}
        for name, item in parts.items():
            if type(item) not in ATOMS:
                written[name] = self._write(item, depth, doubts)
        if not form.proven:
            doubts.append((value, written))
        return written

    def _dispel(self, value: Any, written: Tagged) -> None:
        """
        Make sure that an object is read back equal, by reading it back.

        What was written is compared as well: the class may compare less than it holds.
        """
        text = _to_json(written)
        try:
            back = self._read(text)
            same = type(back) is type(value) and bool(back == value)
            same = same and _to_json(self._write(back, 0, [])) == text
        except Exception as error:
            raise NotEncodable(f"cannot be read back: {in_words(error)}") from error
        if not same:
            raise NotEncodable(
                f"is of type {full_name(type(value))} and not read back equal: see what its "
                "constructor, or the functions that it is registered with, do to it"
            )
