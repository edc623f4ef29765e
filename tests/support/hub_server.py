"""A model hub on 127.0.0.1, speaking as much of the Hugging Face hub's API as its real client asks for.

Small files are served where they are asked for; safetensors files answer with a redirect to a content address, as
the hub does for large ones, under another host name, since the client follows redirects within one host by itself.
It also plays a repository that is gated and one that does not exist. Whoever has the token may make repositories and
commit to them: small files within the commit, large ones put to an address of their own first.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.loopback import Handler, listening

COMMIT = "2290a62682d06624634c1f46a6ad5be0f47f38aa"
GATED = "owner/gated"
TOKEN = "hf_of_the_tests"
"""May write to repositories of `me` and of nobody else."""
LARGE = (".safetensors", ".parquet")
Reply = tuple[int, bytes, dict[str, str]]


class Hub:
    """The repositories on offer, and what was asked of them."""

    def __init__(self, repositories: dict[str, dict[str, bytes]], address: str) -> None:
        self.repositories = repositories
        self.address = address
        self.requests: list[str] = []
        self.failing = False
        self.private: set[str] = set()
        self.stored: dict[str, bytes] = {}
        """Large files by their SHA-256, before a commit names them."""
        self.altering: str | None = None
        """A file that is not kept as it was sent."""

    def downloaded(self) -> set[str]:
        """Names of the files whose content was asked for."""
        asked = (
            line for line in self.requests if line.startswith("GET") and ("/resolve/" in line or "/content/" in line)
        )
        return {line.rsplit("/", 1)[-1] for line in asked}


@contextmanager
def serving(repositories: dict[str, dict[str, bytes]]) -> Iterator[Hub]:
    """Serve until the block ends."""
    with listening(_Handler) as server:
        server.state = Hub(repositories, server.address)
        yield server.state


class _Handler(Handler):
    def answer(self) -> None:
        hub: Hub = self.server.state
        path = unquote(urlsplit(self.path).path)
        hub.requests.append(f"{self.command} {path}")
        if hub.failing:
            return self._send(503, b"down", {})
        parts = [part for part in path.split("/") if part]
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        writes = self.command in ("POST", "PUT") and parts[:1] != ["storage"]
        if writes and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(401, b'{"error":"Invalid username or password."}', {})
        status, body, headers = (
            _written(hub, parts, sent) if self.command in ("POST", "PUT") else self._reply(hub, parts)
        )
        return self._send(status, body, headers)

    def _reply(self, hub: Hub, parts: list[str]) -> Reply:
        match parts:
            case ["api", "models", owner, name, "revision", revision]:
                return _repo_info(hub, f"{owner}/{name}", revision)
            case ["api", "models", owner, name, "tree", _]:
                files = hub.repositories[f"{owner}/{name}"]
                return 200, json.dumps([_tree_entry(path, content) for path, content in files.items()]).encode(), {}
            case [owner, name, "resolve", _, *rest]:
                return _resolve(hub, f"{owner}/{name}", "/".join(rest))
            case ["content", owner, name, *rest]:
                return 200, hub.repositories[f"{owner}/{name}"]["/".join(rest)], {}
        return 404, b"{}", {}

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_head(status, body, headers)
        if self.command != "HEAD":
            self.wfile.write(body)


def _written(hub: Hub, parts: list[str], sent: bytes) -> Reply:
    match parts:
        case ["storage", oid]:
            hub.stored[oid] = sent
            return 200, b"", {}
        case ["api", "validate-yaml"]:
            content = json.loads(sent)["content"]
            whole = content.startswith("---\n") and "\n---\n" in content
            return (
                (200, b'{"errors":[],"warnings":[]}', {}) if whole else (400, b'{"errors":[{"message":"no YAML"}]}', {})
            )
        case ["api", "repos", "create"]:
            return _created(hub, json.loads(sent))
        case ["api", "models", owner, name, *_] if f"{owner}/{name}" not in hub.repositories:
            return 404, b'{"error":"Repository not found"}', {"X-Error-Code": "RepoNotFound"}
        case ["api", "models", owner, name, "preupload", _]:
            files = [
                {**one, "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular"}
                for one in json.loads(sent)["files"]
            ]
            return 200, json.dumps({"files": [{**one, "shouldIgnore": False} for one in files]}).encode(), {}
        case [_, _, "info", "lfs", "objects", "batch"]:
            put = [
                {**one, "actions": {"upload": {"href": f"{hub.address}/storage/{one['oid']}"}}}
                for one in json.loads(sent)["objects"]
            ]
            return 200, json.dumps({"transfer": "basic", "objects": put}).encode(), {}
        case ["api", "models", owner, name, "commit", _]:
            return _committed(hub, f"{owner}/{name}", [json.loads(line) for line in sent.splitlines()])
        case ["api", "models", owner, name, "paths-info", _]:
            held, asked = hub.repositories[f"{owner}/{name}"], parse_qs(sent.decode())["paths"]
            return 200, json.dumps([_tree_entry(path, held[path]) for path in asked if path in held]).encode(), {}
    return 404, b"{}", {}


def _created(hub: Hub, asked: dict[str, Any]) -> Reply:
    repo = f"{asked['organization']}/{asked['name']}"
    if asked["organization"] != "me":
        return 403, b'{"error":"You do not have the rights to create a model under this namespace"}', {}
    if repo in hub.repositories:
        said = {"error": "You already created this model repo", "url": f"{hub.address}/{repo}"}
        return 409, json.dumps(said).encode(), {}
    hub.repositories[repo] = {}
    if asked.get("visibility") == "private":
        hub.private.add(repo)
    return 200, json.dumps({"url": f"{hub.address}/{repo}", "name": repo}).encode(), {}


def _committed(hub: Hub, repo: str, lines: list[dict[str, Any]]) -> Reply:
    files = hub.repositories[repo]
    for line in lines:
        path = line["value"].get("path")
        if line["key"] == "file":
            files[path] = base64.b64decode(line["value"]["content"])
        elif line["key"] == "lfsFile":
            files[path] = hub.stored[line["value"]["oid"]]
        if path is not None and path == hub.altering:
            files[path] += b" "
    return 200, json.dumps({"commitUrl": f"{hub.address}/{repo}/commit/{COMMIT}", "commitOid": COMMIT}).encode(), {}


def _repo_info(hub: Hub, repo: str, revision: str) -> Reply:
    if repo not in hub.repositories:  # the hub says 401 to strangers, so as not to tell which private ones exist
        return 401, b'{"error":"Invalid username or password."}', {"X-Error-Code": "RepoNotFound"}
    if revision not in ("main", COMMIT):
        return 404, b'{"error":"Invalid rev id"}', {"X-Error-Code": "RevisionNotFound"}
    siblings = [{"rfilename": path, "size": len(content)} for path, content in hub.repositories[repo].items()]
    info = {"_id": "1", "id": repo, "modelId": repo, "sha": COMMIT, "private": False, "siblings": siblings, "tags": []}
    return 200, json.dumps({**info, "gated": "manual" if repo == GATED else False}).encode(), {}


def _resolve(hub: Hub, repo: str, path: str) -> Reply:
    if repo == GATED:
        return 401, b"Access to this model is restricted.", {"X-Error-Code": "GatedRepo", "X-Repo-Commit": COMMIT}
    content = hub.repositories[repo].get(path)
    if content is None:
        return 404, b"Entry not found", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
    headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{_blob_id(content)}"', "Accept-Ranges": "bytes"}
    if not path.endswith(LARGE):
        return 200, content, headers
    content_address = hub.address.replace("127.0.0.1", "localhost")
    large = {"X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
    return 302, b"", {**headers, **large, "Location": f"{content_address}/content/{repo}/{path}"}


def _tree_entry(path: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "oid": _blob_id(content), "size": len(content), "path": path}
    if path.endswith(LARGE):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return entry


def _blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
