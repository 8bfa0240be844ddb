"""Command lines in this process: a second faster than real ones, which `script` of tests/cli/conftest.py starts."""

import signal
import subprocess
import sys
import warnings
from unittest.mock import patch

from typer.testing import CliRunner

from imgcodec import cli


def call(*arguments: object, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """What `imgcodec ARGUMENTS` with `input` on stdin leaves: exit code, stdout and stderr."""
    words = ["imgcodec", *map(str, arguments)]
    usual = signal.getsignal(signal.SIGINT)
    with (
        CliRunner().isolation(input) as (stdout, stderr, _),
        warnings.catch_warnings(),
        patch.object(sys, "argv", words),
        patch.object(cli, "end", sys.exit),  # which would end the tests, too
    ):
        try:
            cli.main()
        except SystemExit as left:
            code = left.code
        finally:
            signal.signal(signal.SIGINT, usual)  # a command that was interrupted ignores it from then on
        sys.stdout.flush()
        sys.stderr.flush()
        return subprocess.CompletedProcess(words, int(code), stdout.getvalue(), stderr.getvalue())


def invoke(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `imgcodec ARGUMENTS`, as text."""
    done = call(*arguments)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def invoke_silent(*arguments: object) -> tuple[int, str]:
    """Exit code and stderr of a command that has nothing to say on stdout."""
    code, stdout, stderr = invoke(*arguments)
    assert stdout == ""
    return code, stderr
