"""server: the demo's files on the loopback interface, and nothing else."""

from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pocketear.apps.demo.assets import client_folder
from pocketear.base.errors import PackagingError, RunnerError
from pocketear.base.loopback import LOOPBACK, OwnHostHandler
from pocketear.contracts.names import of_windows
from pocketear.runtimes.card import card_json, read_card
from pocketear.runtimes.litert import open_interpreter, state_shape

_STATIC = Path(__file__).parent / "static"
_BASE_CSS = Path(__file__).parents[2] / "report/templates/base.css"  # looks like the report
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".wasm": "application/wasm",
}
# The page may load from here only: no CDN, no telemetry.
_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self' blob:; frame-ancestors 'none'"
)

Files = dict[str, tuple[bytes, str]]  # address -> content, type


def demo_files(model: Path, client: Path) -> Files:
    """All that is served: the page, the model and its card, MediaPipe's client.

    raises: RunnerError if the model cannot be read, or there is none that MediaPipe can run
    """
    card = card_json(read_card(model)).encode()
    files = {f"/{path.name}": path for path in (*sorted(_STATIC.iterdir()), _BASE_CSS)}
    files |= {"/tasks-audio/audio_bundle.mjs": client / "audio_bundle.mjs"}
    files |= {f"/tasks-audio/wasm/{path.name}": path for path in (client / "wasm").iterdir()}
    served = {
        address: (path.read_bytes(), _TYPES.get(path.suffix, "application/octet-stream"))
        for address, path in files.items()
    }
    served["/"] = served.pop("/index.html")
    served["/model.tflite"] = (window_file(model).read_bytes(), "application/octet-stream")
    served["/card.json"] = (card, _TYPES[".json"])
    return served


def window_file(model: Path) -> Path:
    """What MediaPipe, which has no states, runs: `model`, or the file beside one that takes chunks.

    raises: RunnerError if that file is not there
    """
    if state_shape(open_interpreter(model)) is None:
        return model
    window = of_windows(model)
    if not window.is_file():
        raise RunnerError(
            f"{model}: takes a chunk at a time, which MediaPipe cannot, and there is no "
            f"{window.name} beside it; export again, or give a model that takes windows"
        )
    return window


def make_server(files: Files, port: int) -> ThreadingHTTPServer:
    """A server of `files` on the loopback interface. port: 0 takes any that is free.

    raises: PackagingError if the port is taken
    """

    class Handler(OwnHostHandler):
        def do_GET(self) -> None:
            content, kind = files.get(self.path.partition("?")[0], (b"", ""))
            if not kind:
                self.send_error(HTTPStatus.NOT_FOUND)
            else:
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Content-Security-Policy", _POLICY)
                self.send_header("X-Content-Type-Options", "nosniff")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the page shows what happens."""

    try:
        return ThreadingHTTPServer((LOOPBACK, port), Handler)
    except OSError as error:
        raise PackagingError(f"port {port} is taken ({error.strerror}); give --port 0") from error


def run(model: Path, port: int) -> None:
    """Serve until interrupted."""
    with make_server(demo_files(model, client_folder()), port) as server:
        print(f"{model.name} listens at http://{LOOPBACK}:{server.server_port}/ (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
