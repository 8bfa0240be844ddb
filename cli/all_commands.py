"""The parser of all commands at once, for what makes a page of it: `python -m typer imgcodec.cli.all_commands ...`."""

from imgcodec.cli.commands import make_app

app = make_app()
