"""The page of the viewer, served on this machine: `viewer/`, built into the package, with a file and the models that
are installed. Nothing is sent to other machines, nor taken from them.

    /                              the page
    /picture/NAME                  the file
    /models/ID.nicm/FILE           graphs of the model with that codebook id, made when they are first asked for
    /models/default.json           the id of the model with which the page compresses
"""

import json
import mimetypes
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from imgcodec.bitstream.errors import CodecError, ModelNotFoundError
from imgcodec.model_file.contents import open_contents
from imgcodec.model_file.find import find_model_by_id, shipped_ids
from imgcodec.model_file.graph_folder import graph_files
from imgcodec.storage import files

HOST = "127.0.0.1"
DEFAULT_MODEL = "photo"
_MODEL = re.compile(r"/models/([0-9a-f]{16})\.nicm/([a-z0-9.-]+)")
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}
# With the first two a page may have threads that share memory.
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def page_folder() -> Path:
    """Where the built page is. Raises CodecError in a checkout where it was not built."""
    folder = Path(str(resources.files("imgcodec"))) / "viewer_page"
    if not (folder / "index.html").is_file():
        raise CodecError("The page of the viewer is not there: make viewer builds it, in a checkout, with Node.")
    return folder


@contextmanager
def served(picture: tuple[str, bytes] | None, port: int = 0, model: str | None = None) -> Iterator[str]:
    """Serves the page while the context lasts, and gives its address.

    picture: the name and the bytes of a .nic file that the page opens. port: 0 for any that is free. model: name or
    path of a model that is there besides those that are installed. Raises CodecError where the page is not built, or
    the port cannot be had, and as `open_contents`.
    """
    folder = page_folder()
    pages = {f"/{path.relative_to(folder).as_posix()}": path for path in _files(folder)}
    answer = partial(_answer, pages, picture, _Graphs(model))
    try:
        server = _Server((HOST, port), partial(_Handler, answer))
    except OSError as error:
        raise CodecError(f"Port {port} cannot be had: {files.reason(error)}.") from None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://{HOST}:{server.server_port}/"
    try:
        yield address if picture is None else f"{address}?src={quote(f'picture/{picture[0]}', safe='')}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Graphs:
    """The models as files of graphs, made when they are asked for."""

    def __init__(self, model: str | None) -> None:
        self._made: dict[str, dict[str, bytes]] = {}
        self._given = open_contents(model) if model is not None else None
        self._lock = threading.Lock()

    def default_id(self) -> str:
        """Of the model that was given, else of the shipped one."""
        return (self._given.id if self._given else shipped_ids()[DEFAULT_MODEL]).hex()

    def file(self, id: str, name: str) -> bytes:
        """A file of the model with this id. Raises CodecError where there is no such model, or no such file of it."""
        with self._lock:
            if id not in self._made:
                is_given = self._given is not None and self._given.id.hex() == id
                contents = self._given if is_given else open_contents(find_model_by_id(bytes.fromhex(id)))
                assert contents is not None
                self._made[id] = graph_files(contents)
        if name not in self._made[id]:
            raise CodecError(f"The model {id} has no file {name}.")
        return self._made[id][name]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _answer(
    pages: Mapping[str, Path], picture: tuple[str, bytes] | None, graphs: _Graphs, address: str
) -> tuple[bytes, str]:
    """The body and its type. Raises CodecError where there is none, OSError where it cannot be read."""
    path = unquote(urlsplit(address).path)
    if path == "/":
        path = "/index.html"
    if path in pages:
        kind = _TYPES.get(pages[path].suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
        return pages[path].read_bytes(), kind
    if picture is not None and path == f"/picture/{picture[0]}":
        return picture[1], "application/octet-stream"
    if path == "/models/default.json":
        return json.dumps({"id": graphs.default_id()}).encode(), "application/json"
    if match := _MODEL.fullmatch(path):
        return graphs.file(*match.groups()), "application/octet-stream"
    raise ModelNotFoundError(f"There is no {path}.")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is no error to talk about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, answer: Callable[[str], tuple[bytes, str]], *arguments: object) -> None:
        self._answer = answer
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        status, kind = HTTPStatus.OK, "text/plain; charset=utf-8"
        # A page of somebody else's may have a name that leads here; it must not read the picture.
        if self.headers.get("Host", "").partition(":")[0] not in (HOST, "localhost"):
            status, body = HTTPStatus.MISDIRECTED_REQUEST, b"This page is for this machine alone."
        else:
            try:
                body, kind = self._answer(self.path)
            except (CodecError, OSError, ValueError) as error:
                status, body = HTTPStatus.NOT_FOUND, str(error).encode()
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are not told of."""
