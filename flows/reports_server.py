"""reports_server: the folder of reports on a loopback port, for this machine's own address only.

report.html holds users' recordings. A web page whose host name is made to resolve to 127.0.0.1
(DNS rebinding) could read it as its own; such a request carries that name in its Host header.
"""

import argparse
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

LOOPBACK = "127.0.0.1"


def own_hosts(port: int) -> tuple[str, ...]:
    """The Host headers of requests that are meant for a port of this machine."""
    return f"{LOOPBACK}:{port}", f"localhost:{port}"


class _Handler(SimpleHTTPRequestHandler):
    server: ThreadingHTTPServer

    def send_head(self) -> IO[bytes] | None:  # type: ignore[override]  # of GET and HEAD alike
        if (self.headers.get("Host") or "").lower() not in own_hosts(self.server.server_port):
            self.send_error(HTTPStatus.FORBIDDEN)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        # no other site may embed what is served here
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        super().end_headers()


def make_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of a folder's files on the loopback interface. port: 0 takes any free one"""
    handler = partial(_Handler, directory=str(folder))
    return ThreadingHTTPServer((LOOPBACK, port), handler)


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    with make_server(arguments.folder, arguments.port) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
