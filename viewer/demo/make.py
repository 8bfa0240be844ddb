"""Writes the viewer as static files, for any web server, with a page of pictures that shows `<nic-image>`.

    make viewer
    .venv/bin/python viewer/demo/make.py build/viewer                    # twelve files of the example photograph
    .venv/bin/python viewer/demo/make.py build/viewer photo.jpg ...      # one of each of these
    .venv/bin/python -m http.server --directory build/viewer             # and open /demo/

A server that sends the headers `Cross-Origin-Opener-Policy: same-origin` and `Cross-Origin-Embedder-Policy:
require-corp` lets the page use all cores.
"""

import html
import json
import shutil
import sys
from pathlib import Path

import imgcodec
from imgcodec.model_file.contents import open_contents
from imgcodec.model_file.graph_folder import SUFFIX, export_graphs
from imgcodec.viewing import page_folder

EXAMPLE = Path(__file__).parents[2] / "examples" / "photo.png"
QUALITIES = (5, 15, 30, 50, 70, 90)
TUNES = ("visual", "psnr")
FIGURE = """<figure>
  <a href="../?src=demo/{name}"><nic-image src="{name}" alt="{title}"></nic-image></a>
  <figcaption>{title}: {bytes:,} bytes</figcaption>
</figure>
"""


def pictures(sources: list[str]) -> list[tuple[str, bytes]]:
    """Titles and files."""
    if sources:
        return [(Path(source).stem, imgcodec.compress(source)) for source in sources]
    return [
        (f"{tune}, quality {quality}", imgcodec.compress(EXAMPLE, quality=quality, tune=tune))
        for quality in QUALITIES
        for tune in TUNES
    ]


def main(folder: Path, sources: list[str]) -> None:
    shutil.copytree(page_folder(), folder)
    model = open_contents("photo")
    (folder / "models").mkdir()
    export_graphs(model, folder / "models" / f"{model.id.hex()}{SUFFIX}", force=False)
    (folder / "models" / "default.json").write_text(json.dumps({"id": model.id.hex()}))
    (folder / "demo").mkdir()
    figures = []
    for number, (title, data) in enumerate(pictures(sources), 1):
        name = f"{number:02}.nic"
        (folder / "demo" / name).write_bytes(data)
        figures.append(FIGURE.format(name=name, title=html.escape(title), bytes=len(data)))
    page = (Path(__file__).parent / "index.html").read_text(encoding="utf-8")
    page = page.replace("<!-- pictures -->", "".join(figures))
    (folder / "demo" / "index.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} FOLDER [PICTURE ...]")
    main(Path(sys.argv[1]), sys.argv[2:])
