"""`imgcodec verify`: whether .nic files are whole, without making pictures of them."""

import json
from functools import partial
from typing import Annotated

import typer

from imgcodec.cli.many import inspect_many
from imgcodec.cli.options import FileModel, Jobs, Json, Recursive, explained, printable


def verify(
    sources: Annotated[list[str], typer.Argument(metavar="FILES...", help=".nic files; - is stdin.")],
    recursive: Recursive = False,
    jobs: Jobs = 1,
    decode: Annotated[bool, typer.Option("--decode", help="Decode tokens, exact blocks and the rest, too.")] = False,
    as_json: Json = False,
    model: FileModel = None,
) -> None:
    """Check signature, header, lengths and checksums of every file; with --decode also what is inside.

    Exit code 3 if any file is damaged, otherwise that of the first other failure.
    """
    from imgcodec.model_file.find import pinned
    from imgcodec.tasks.inspect import Verified, open_verifier

    def show(source: str, found: Verified | Exception) -> None:
        if as_json:
            report: dict[str, object] = {"file": source, "sound": isinstance(found, Verified)}
            if isinstance(found, Verified):
                report |= {"bytes": found.bytes, "tokens_sha256": found.tokens_sha256}
            else:
                report["error"] = explained(found)
            typer.echo(json.dumps(report, allow_nan=False))
        elif isinstance(found, Verified):
            typer.echo(f"{printable(source)}: sound")

    if model is not None and jobs > 1:
        model = pinned(model)
    inspect_many(sources, recursive, partial(open_verifier, model, decode), jobs, "Verifying", show)
