"""Values of options as the parser would read them, without what it imports for that.

typer asks pydantic about each value, also about those of options that were not given, and importing pydantic takes
longer than NumPy. What is plainly right is taken here; all else is left to typer, and so is what it says of it.
"""

import inspect
import re
import types
import typing
from collections.abc import Callable
from functools import partial
from typing import Any

import typer.core

PLAIN = {
    int: re.compile(r"[0-9]{1,15}", re.ASCII),
    float: re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII),
    str: re.compile(".*", re.DOTALL),
}
"""Texts of values, by type, that can be read one way only."""


class _Quick:
    """What of a command reads its values by `value_of`."""

    callback: Callable[..., Any] | None

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, and the option for help, which no function has."""
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        annotated = inspect.signature(self.callback).parameters if self.callback else {}
        for parameter in found:
            if "process_value" not in vars(parameter):
                annotation = annotated[parameter.name].annotation if parameter.name in annotated else bool
                parameter.process_value = partial(value_of, parameter, annotation, parameter.process_value)
        return found


class Command(_Quick, typer.core.TyperCommand):
    """A command of ours."""


class Group(_Quick, typer.core.TyperGroup):
    """Commands under a common name."""


def value_of(parameter: Any, annotation: Any, usual: Callable[[Any, Any], Any], ctx: Any, value: Any) -> Any:
    """The value of a parameter, an option or argument of typer. annotation: its type, and the limits of a number.
    usual: reads what is not plain, and raises for what is wrong."""
    if parameter.callback is not None and value is not None:
        return usual(ctx, value)
    if value is None and not parameter.required:
        return () if parameter.nargs == -1 or parameter.multiple else None
    kind, limits = _kind(annotation)
    if kind is list and isinstance(value, tuple) and value and all(isinstance(item, str) for item in value):
        return value
    if type(value) is kind and value == parameter.default:
        return value
    if kind in PLAIN and isinstance(value, str) and PLAIN[kind].fullmatch(value):
        number = kind(value)
        if kind is str or all(low <= number <= high for low, high in limits):
            return number
    return usual(ctx, value)


def _kind(annotation: Any) -> tuple[Any, list[tuple[float, float]]]:
    """The type of what is annotated so, without None and without what a list is of, and the limits of a number."""
    limits = [
        (float("-inf") if info.min is None else info.min, float("inf") if info.max is None else info.max)
        for info in getattr(annotation, "__metadata__", ())
    ]
    kind = typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation
    if isinstance(kind, types.UnionType):
        [kind] = [part for part in typing.get_args(kind) if part is not types.NoneType]
    return (list if kind == list[str] else kind), limits
