"""hostile_broken: a copy of the source without the checks that hostile.py tries."""

import shutil
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from project import ROOT

BROKEN = "POCKETEAR_HOSTILE_BROKEN"  # environment: set where the copy is tried
# file -> (what stands there, what stands in the copy)
WITHOUT = {
    "base/yaml_text.py": [
        ("if _count(node, {}) > _MOST_VALUES:", "if False:"),
        ("yaml.SafeLoader(text)", "yaml.UnsafeLoader(text)"),
        ("except RecursionError", "except ZeroDivisionError"),
        ("except ValueError", "except ZeroDivisionError"),
        ("except yaml.YAMLError", "except ZeroDivisionError"),
    ],
    "base/errors.py": [
        ("text = _SHORT.repr(value)", "return repr(value)"),
    ],
    "base/process.py": [
        ("plain = ", "return text\n    plain = "),
        ("except (PocketearError, OSError, MemoryError)", "except ZeroDivisionError"),
    ],
    "base/tables.py": [
        ("if _FORMULA.match(text) else text", "if False else text"),
        (
            'return _SIGNS.sub(r"\\\\\\g<0>", html.escape(one_line, quote=False))',
            "return one_line",
        ),
    ],
    "base/archive.py": [
        ("if not inside or not name.isprintable():", "if False:"),
        ("if files > MOST_FILES or size > MOST_BYTES:", "if False:"),
    ],
    "base/addresses.py": [
        ("    scheme, secret, known = _split(address)\n", "    return address\n"),
    ],
    "runtimes/card.py": [
        ("> _MAX_ENTRIES:", "> 10**9:"),
        ("file.read(_MAX_ENTRY_BYTES + 1)", "file.read()"),
        ("AttributeError, RecursionError)", "AttributeError)"),
        ("except _DAMAGE as error:", "except ZeroDivisionError as error:"),
    ],
    "runtimes/keras.py": [("safe_mode=True", "safe_mode=False")],
    "apps/demo/server.py": [
        ('if host not in (_LOOPBACK, "localhost"):', "if False:"),
        ('"Cross-Origin-Resource-Policy", "same-origin"', '"X-Nothing", "x"'),
    ],
}


def broken_copy(scratch: Path) -> Path:
    """Copy the source to `scratch`, without its checks. returns: what goes on PYTHONPATH"""
    source = scratch / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    for name, changes in WITHOUT.items():
        path = source / "pocketear" / name
        text = path.read_text(encoding="utf-8")
        for before, after in changes:
            assert before in text, (name, before)
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")
    return source


def careless_server(folder: Path) -> ThreadingHTTPServer:
    """A server that gives any file to anybody, by its path as it is asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = Path(f"{folder}/reports{unquote(self.path)}")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(path.read_bytes() if path.is_file() else b"page")

        do_POST = do_GET

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)
