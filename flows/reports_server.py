"""reports_server: the folder of reports on a loopback port, for this machine's own address only.

report.html holds users' recordings.
"""

import argparse
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pocketear.base.loopback import LOOPBACK, OwnHostHandler


class _Handler(OwnHostHandler, SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
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
