"""Dataclasses from the tables of a recipe. A value of another type is refused where it is read, by the keys that lead
to it: `mixed = "no"` would be true, and a text for a number would end a training an hour later."""

import math
import typing
from dataclasses import MISSING, Field, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar

WORDS = {
    bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list", dict: "a table"
}  # fmt: skip

Kind = TypeVar("Kind")


def from_table(kind: type[Kind], table: dict[str, Any], place: str = "") -> Kind:
    """A dataclass from a table of TOML, with lists as tuples, and inner tables as dataclasses where fields are such.

    place: the keys that lead to the table, each with a dot behind it. Raises ValueError for a field that there is not
    or that is missing, and for a value of another type; the dataclass itself checks what fits together.
    """
    known: dict[str, Field[Any]] = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    unknown = table.keys() - known.keys()
    if unknown:
        raise ValueError(f"nothing is called {place + min(unknown)!r}")
    for name, field in known.items():
        if name not in table and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"it has no {place}{name}")
    types = typing.get_type_hints(kind)
    return kind(**{name: _checked(types[name], value, place + name) for name, value in table.items()})


def _checked(kind: Any, value: Any, key: str) -> Any:
    """The value of a field of this type, as `from_table` has it."""
    if isinstance(kind, UnionType):  # of one type and None, which no table can say
        kind = next(of for of in typing.get_args(kind) if of is not type(None))
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is typing.Literal:
        if value not in inner:
            raise ValueError(f"{key} must be {', '.join(inner[:-1])} or {inner[-1]}, not {value!r:.40}")
        return value
    is_part = bool(is_dataclass(kind))
    expected = dict if is_part else list if origin is tuple else origin
    is_whole = origin is float and type(value) is int  # which is a number, too
    is_nan = isinstance(value, float) and math.isnan(value)
    if is_whole and abs(value) > 2**53:
        raise ValueError(f"{key} must be a number of at most 2^53")
    if (type(value) is not expected and not is_whole) or is_nan:
        raise ValueError(f"{key} must be {WORDS[expected]}, not {value!r:.40}")
    if is_part:
        return from_table(kind, value, f"{key}.")
    if origin is not tuple:
        return value
    count = None if inner[-1] is Ellipsis else len(inner)
    if count not in (None, len(value)):
        raise ValueError(f"{key} must be a list of {count}, not of {len(value)}")
    return tuple(_checked(inner[0], item, f"{key}.{index}") for index, item in enumerate(value))
