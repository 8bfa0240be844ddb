"""Command lines in this process: a second faster each than real ones, which tests/cli/conftest.py starts."""

from typer.testing import CliRunner

from imgcodec.cli import app


def invoke(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `imgcodec ARGUMENTS`."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    return result.exit_code, result.stdout, result.stderr


def invoke_silent(*arguments: object) -> tuple[int, str]:
    """Exit code and stderr of a command that has nothing to say on stdout."""
    code, stdout, stderr = invoke(*arguments)
    assert stdout == ""
    return code, stderr
