"""What is wrong with a command line, in words of the user instead of the parser's."""

import re
from collections.abc import Collection, Sequence
from typing import Any

from imgcodec.cli.options import sentence

TAKES = {
    r"valid integer|not a valid int": "a whole number",
    r"valid number|not a valid float": "a number",
    r"finite": "a finite number",
    r"less than or equal to (\S+)": "at most {}",
    r"greater than or equal to (\S+)": "{} or more",
}
"""What the parser says of a value, and what the option takes."""


def usage_sentence(error: Any, words: Sequence[str], commands: Collection[str]) -> str:
    """A sentence or two for a usage error of the parser; it names the command's own help.

    words: the command line. commands: all that there are, as `imgcodec data pack`. The parser's classes
    have moved between releases of typer, so they are told by name.
    """
    context = getattr(error, "ctx", None)
    command = str(context.command_path) if context else _command_of(words, commands)
    return f"{_what(error, command)} See {command} --help for all options."


def _command_of(words: Sequence[str], commands: Collection[str]) -> str:
    """The command that a line is of; the parser does not tell it where a value is missing."""
    path = "imgcodec"
    for word in words[:2]:
        if f"{path} {word}" in commands:
            path = f"{path} {word}"
    return path


def _what(error: Any, command: str) -> str:
    kind, message = type(error).__name__, sentence(error.format_message())
    match kind:
        case "NoSuchOption":
            if error.option_name == "--format":  # nearest to --force, which nobody means by it
                by_suffix = "; the format is that of the output's suffix" if "--scale" in _options(error) else ""
                return f"{command} has no option --format{by_suffix}."
            begun = [name for name in _options(error) if name.startswith(error.option_name)]
            return f"{command} has no option {error.option_name}{_meant(begun or error.possibilities or [])}"
        case "MissingParameter":
            return f"{command} needs {_name(error.param)}{_explained(error.param)}."
        case "BadOptionUsage" if "requires an argument" in message:
            return f"{error.option_name} needs a value behind it."
        case "BadParameter" if error.param is not None:
            return _bad_value(error, message)
    if unknown := re.match(r"No such command '(.*?)'", message):
        suggested = re.findall("'([^']*)'", message[unknown.end() :])
        return f"{command} has no command {unknown[1]!r}{_meant(suggested)}"
    if extra := re.match(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", message):
        one_output = "; the output is named with -o" if "-o" in _options(error) else ""
        return f"{command} takes no more arguments, and here is also {extra[1]}{one_output}."
    return message


def _bad_value(error: Any, message: str) -> str:
    told = getattr(error.__cause__, "errors", None)  # pydantic's, which knows the value
    given = f", not {told()[0]['input']!r:.60}" if told else ""
    if told and str(told()[0]["input"]).strip().lower() in ("nan", "+nan", "-nan"):  # outside of every range
        return f"{_name(error.param)} takes a number{given}."
    for pattern, takes in TAKES.items():
        if found := re.search(pattern, message):
            return (
                f"{_name(error.param)} takes {takes.format(*(bound.rstrip('.') for bound in found.groups()))}{given}."
            )
    return message


def _name(parameter: Any) -> str:
    """`--quality` of an option, `INPUT` of an argument."""
    longest: str = max(parameter.opts, key=len)
    return longest if longest.startswith("-") else (parameter.metavar or longest.upper())


def _explained(parameter: Any) -> str:
    text = (getattr(parameter, "help", None) or "").rstrip(".")
    return f" ({text[:1].lower()}{text[1:]})" if text else ""


def _meant(names: Sequence[str]) -> str:
    return f"; did you mean {' or '.join(names)}?" if names else "."


def _options(error: Any) -> list[str]:
    return [name for parameter in error.ctx.command.params for name in parameter.opts] if error.ctx else []
