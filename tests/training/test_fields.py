"""Dataclasses from tables: values of other types are refused, by the keys that lead to them."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from imgcodec.training.fields import from_table


@dataclass(frozen=True)
class Part:
    name: str
    rate: float = math.inf
    kind: Literal["one", "two", "three"] = "one"


@dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...]
    count: int = 1
    mixed: bool = True
    sizes: tuple[int, int] = (1, 2)
    slices: tuple[tuple[int, ...], ...] = ()
    other: dict[str, Any] = field(default_factory=dict)
    part: Part = Part("x")
    extra: dict[str, Any] | None = None


def test_tables_become_dataclasses_and_lists_tuples() -> None:
    table = {
        "parts": [{"name": "a", "rate": 3, "kind": "three"}, {"name": "b"}], "sizes": [3, 4], "slices": [[], [1, 2]],
        "other": {"x": [1]}, "part": {"name": "c", "rate": -math.inf}, "mixed": False,
        "extra": {"y": 2},
    }  # fmt: skip
    assert from_table(Whole, table) == Whole(
        (Part("a", 3, "three"), Part("b")), 1, False, (3, 4), ((), (1, 2)), {"x": [1]}, Part("c", -math.inf), {"y": 2}
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"mixed": "yes"}, "mixed must be true or false, not 'yes'"),
        ({"mixed": 1}, "mixed must be true or false, not 1"),
        ({"count": True}, "count must be a whole number, not True"),
        ({"count": 1.0}, "count must be a whole number, not 1.0"),
        ({"parts": [{"name": "a"}, {"name": 3}]}, "parts.1.name must be a text, not 3"),
        ({"part": {"name": "a", "rate": "3"}}, "part.rate must be a number, not '3'"),
        ({"part": {"name": "a", "rate": 10**400}}, "part.rate must be a number of at most 2^53"),
        ({"part": {"name": "a", "rate": math.nan}}, "part.rate must be a number, not nan"),
        ({"part": {"name": "a", "rate": False}}, "part.rate must be a number, not False"),
        ({"part": {"name": "a", "kind": "four"}}, "part.kind must be one, two or three, not 'four'"),
        ({"part": {"name": "a", "kind": ["one"]}}, "part.kind must be one, two or three, not ['one']"),
        ({"part": 3}, "part must be a table, not 3"),
        ({"parts": {"name": "a"}}, "parts must be a list, not {'name': 'a'}"),
        ({"parts": ["a"]}, "parts.0 must be a table, not 'a'"),
        ({"sizes": [1]}, "sizes must be a list of 2, not of 1"),
        ({"slices": [[1], [1, "2"]]}, "slices.1.1 must be a whole number, not '2'"),
        ({"other": [1]}, "other must be a table, not [1]"),
        ({"parts": [{}]}, "it has no parts.0.name"),
        ({"part": {"name": "a", "rat": 1}}, "nothing is called 'part.rat'"),
    ],
)
def test_what_is_of_another_type_is_refused_by_its_keys(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole sentence is compared
        from_table(Whole, {"parts": [], **changed})
    assert str(caught.value) == sentence
