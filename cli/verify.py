"""`imgcodec verify`: whether .nic files are whole, without making pictures of them."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.errors import CodecError
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.cli.options import FileModel, codec_for, leave, printable, read_nic, say, sentence, working

if TYPE_CHECKING:
    from imgcodec.bitstream.container import Container
    from imgcodec.tokens import TokenCodec


def verify(
    sources: Annotated[list[str], typer.Argument(metavar="FILES...", help=".nic files; - is stdin.")],
    decode: Annotated[bool, typer.Option("--decode", help="Decode tokens, alpha and metadata, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list with every file as JSON.")] = False,
    model: FileModel = None,
) -> None:
    """Check signature, header, lengths and checksums of every file; with --decode also what is inside.

    Exit code 3 if any file is damaged, otherwise that of the first other failure.
    """
    from imgcodec.bitstream import container
    from imgcodec.profiles.decodable import check_decodable

    codecs: dict[bytes, TokenCodec] = {}
    reports, failures = [], []
    for source in sources:
        tokens = None
        try:
            file = read_nic(source, DEFAULT_LIMITS, container.read)
            if decode:
                check_decodable(file)
                with working(f"Decoding {source}"):
                    id = file.header.codebook_id
                    codecs[id] = codecs.get(id) or codec_for(file.header, model, "cpu")
                    tokens = decoded(file, codecs[id])
        except CodecError as error:
            failures.append(error)
            told = sentence(str(error))
            say(f"imgcodec: {told if source in told else f'{source}: {told}'}")
            reports.append({"file": source, "sound": False, "error": str(error)})
        else:
            if not as_json:
                typer.echo(f"{printable(source)}: sound")
            reports.append(
                {
                    "file": source,
                    "sound": True,
                    "bytes": file.header_size + sum(entry.size for entry in file.entries),
                    "tokens_sha256": tokens,
                }
            )
    if as_json:
        typer.echo(json.dumps(reports, indent=1, allow_nan=False))
    leave(failures)


def decoded(file: "Container", codec: "TokenCodec") -> str:
    """SHA-256 of the tokens of a file. Raises InvalidFileError where they or another section cannot be decoded."""
    from imgcodec.bitstream.sections import unpack_fields
    from imgcodec.codec import read_tokens

    unpack_fields(file.sections, file.header)
    return read_tokens(codec, file).sha256()
