"""A server that speaks as much of the Hugging Face hub's API as fetching a model takes: revisions, trees, files."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REVISION = re.compile(r"/api/models/([\w.-]+/[\w.-]+)/revision/([^/?]+)")
TREE = re.compile(r"/api/models/([\w.-]+/[\w.-]+)/tree/([^/?]+)")
FILE = re.compile(r"/([\w.-]+/[\w.-]+)/resolve/([^/]+)/([^?]+)")


@dataclass
class Hub:
    """address: of the server. repositories: their commits, newest last; a commit is files by name. stated: sizes that
    the server tells instead of the true ones, by name. requests: what was asked for, method and path."""

    address: str = ""
    repositories: dict[str, list[dict[str, bytes]]] = field(default_factory=dict)
    stated: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def commit(self, repository: str, **files: bytes) -> str:
        """Adds a commit, and returns its name. Names of files have `_dot_` for the point."""
        commits = self.repositories.setdefault(repository, [])
        commits.append({name.replace("_dot_", "."): data for name, data in files.items()})
        return self.name(repository, len(commits) - 1)

    def name(self, repository: str, index: int) -> str:
        return hashlib.sha1(f"{repository} {index}".encode()).hexdigest()

    def find(self, repository: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit that a revision is of, and its files."""
        commits = self.repositories.get(repository, [])
        names = [self.name(repository, index) for index in range(len(commits))]
        if revision == "main" and names:
            return names[-1], commits[-1]
        return (revision, commits[names.index(revision)]) if revision in names else None


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        for pattern, answer in ((REVISION, self._revision), (TREE, self._tree), (FILE, self._file)):
            if match := pattern.match(self.path):
                repository, revision, *rest = match.groups()
                if repository not in self.hub.repositories:
                    return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
                if (found := self.hub.find(repository, revision)) is None:
                    return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
                return answer(repository, *found, *rest)
        return self._send(404, b"{}", {})

    def _revision(self, repository: str, commit: str, files: dict[str, bytes]) -> None:
        siblings = [{"rfilename": name} for name in files]
        self._send(200, json.dumps({"id": repository, "sha": commit, "siblings": siblings}).encode(), {})

    def _tree(self, repository: str, commit: str, files: dict[str, bytes]) -> None:
        entries = []
        for name, data in files.items():
            size = self.hub.stated.get(name, len(data))
            entry = {"type": "file", "path": name, "size": size, "oid": hashlib.sha1(data).hexdigest()}
            if name.endswith(".safetensors"):
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": size, "pointerSize": 130}
            entries.append(entry)
        self._send(200, json.dumps(entries).encode(), {})

    def _file(self, repository: str, commit: str, files: dict[str, bytes], name: str) -> None:
        if name not in files:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        data = files[name]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha256(data).hexdigest()}"'}
        if name in self.hub.stated:
            headers["X-Linked-Size"] = str(self.hub.stated[name])
        return self._send(200, data, headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub on this machine, as long as the context lasts."""
    hub = Hub()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub})) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield hub
        server.shutdown()
