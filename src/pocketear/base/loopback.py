"""loopback: HTTP servers for this machine, which answer only requests that were meant for them.

A web page whose host name is made to resolve to 127.0.0.1 (DNS rebinding) can call a server here
and read the answer as its own. Such a request carries that name in its Host header.
"""

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOOPBACK = "127.0.0.1"


def own_hosts(port: int) -> tuple[str, ...]:
    """The Host headers of requests that are meant for a port of this machine."""
    return f"{LOOPBACK}:{port}", f"localhost:{port}"


class OwnHostHandler(BaseHTTPRequestHandler):
    """Refuses every request, whatever its method, whose Host is not this server's own."""

    server: ThreadingHTTPServer

    def parse_request(self) -> bool:
        """Runs before the method's own function is chosen, so no method can miss the check."""
        if not super().parse_request():
            return False
        if (self.headers.get("Host") or "").lower() in own_hosts(self.server.server_port):
            return True
        self.send_error(HTTPStatus.FORBIDDEN)
        return False

    def end_headers(self) -> None:
        """Also say that no other site may embed what is served here."""
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        super().end_headers()
