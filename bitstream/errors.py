"""Exceptions for what goes wrong, a warning for what is lost; each is one sentence that a user can act on.

`exit_code` is what the command line returns when the exception reaches it.
"""


class CodecError(Exception):
    """Base of every error that bad input can cause."""

    exit_code = 1


class UsageError(CodecError, ValueError):
    """A caller asks for something that does not exist or is out of range."""

    exit_code = 2


class InvalidFileError(CodecError):
    """The input is damaged, hostile or not of a kind that can be read."""

    exit_code = 3


class ModelNotFoundError(CodecError):
    """The file needs a model that is not installed."""

    exit_code = 4


class UnusableModelError(CodecError):
    """A model is there, but its file is damaged or none, or this machine does not compute with it what it should."""

    exit_code = 4


class LossWarning(UserWarning):
    """A part of a picture is not kept: frames after the first, bits over 8, metadata that there is no room for."""
