"""`make audit`: pip-audit itself, against an advisory service of our own on loopback."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from audit import audit

pytestmark = pytest.mark.slow
ADVISORY = {
    "id": "GHSA-test", "aliases": [], "summary": "bad", "modified": "2024-01-01T00:00:00Z",
    "affected": [{
        "package": {"name": "pyyaml", "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "6.0.9"}]}],
    }],
}  # fmt: skip


@pytest.fixture
def service() -> Iterator[str]:
    """Knows one advisory, of pyyaml."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            vulns = [ADVISORY] if asked["package"]["name"] == "pyyaml" else []
            content = json.dumps({"vulns": vulns} if vulns else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def ask(folder: Path, text: str, service: str) -> int:
    (folder / "requirements.txt").write_text(text)
    return audit(folder / "requirements.txt", service)


def test_an_advisory_fails_and_is_named(tmp_path: Path, service: str, capsys) -> None:
    assert ask(tmp_path, "pyyaml==6.0.1\nfilelock==3.16.0\n", service) == 1
    assert "audit: pyyaml 6.0.1: GHSA-test, fixed in 6.0.9" in capsys.readouterr().out


def test_none_passes(tmp_path: Path, service: str, capsys) -> None:
    assert ask(tmp_path, "filelock==3.16.0\n", service) == 0
    assert "1 dependencies asked for, 0 advisories" in capsys.readouterr().out


def test_without_a_network_it_says_so_and_passes(tmp_path: Path, capsys) -> None:
    assert ask(tmp_path, "filelock==3.16.0\n", "http://127.0.0.1:9/v1/query") == 0
    assert "left out, http://127.0.0.1:9/v1/query cannot be reached" in capsys.readouterr().out


def test_any_other_failure_of_the_tool_fails(tmp_path: Path, service: str, capsys) -> None:
    assert ask(tmp_path, "this is no requirement\n", service) == 1
    assert "error: pip-audit failed" in capsys.readouterr().err
