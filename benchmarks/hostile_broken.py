"""hostile_broken: copies of the source without the checks that hostile.py tries, one a kind."""

import os
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from project import ROOT

BROKEN = "POCKETEAR_HOSTILE_BROKEN"  # environment, where a copy is tried: the kind of case
_TRACEBACKS = {
    "base/process.py": [
        ("plain = ", "return text\n    plain = "),
        ("except (PocketearError, OSError, MemoryError)", "except ZeroDivisionError"),
    ],
    "base/errors.py": [("text = _SHORT.repr(value)", "return repr(value)")],
}
# A careless reader of recordings goes by a file's first bytes, takes what is unknown for samples,
# and reads at once as much as a header says.
_CARELESS = """
        whole.seek(0)
        head = whole.read(4)
        whole.seek(0)
        try:
            file = _SoundFile(whole)
        except soundfile.LibsndfileError:
            if head in (b"#EXT", b"ffco"):
                yield None
                return
            whole.seek(0)
            file = _SoundFile(
                whole, format="RAW", samplerate=16000, channels=1, subtype="PCM_16"
            )
"""
# kind -> file below src/pocketear -> (what stands there, what stands in the copy)
WITHOUT = {
    "shell": {},  # its commands are given to a shell
    "recording": {
        "data/cache.py": [
            (
                "from pocketear.data.decoding.isolated import decode_isolated",
                "from pocketear.data.decoding.measure import decode_clip as decode_isolated",
            ),
        ],
        "data/decoding/containers.py": [
            ("    if not path.is_file():\n", "    return\n    if not path.is_file():\n"),
            ("loudest = max(", "return\n    loudest = max("),
            ("max(1, min(block, MOST_AT_ONCE // file.channels))", "max(1, wanted)"),
            ("if wanted > part.longest * rate and declared < _UNKNOWN:", "if False:"),
            (
                """
        try:
            file = _SoundFile(whole if is_whole else window)
        except soundfile.LibsndfileError:
            yield None
            return
""",
                _CARELESS,
            ),
        ],
        "data/decoding/ffmpeg.py": [
            (
                'av.open(f"file:{path}", options=_OPTIONS)',
                'av.open(f"file:{path}", options=_ANY, '
                'format={b"#EXT": "hls", b"ffco": "concat"}.get(path.read_bytes()[:4]))',
            ),
            (
                "_MOST_DAMAGED = 0.1",
                '_ANY = {"protocol_whitelist": "file,http,tcp", "safe": "0", '
                '"allowed_extensions": "ALL", "allowed_segment_extensions": "ALL", '
                '"extension_picky": "0"}\n_MOST_DAMAGED = 0.1',
            ),
        ],
        "data/clip_table.py": [("if not path.is_file():", "if False:")],
    },
    "yaml": {
        **_TRACEBACKS,
        "base/yaml_text.py": [
            ("if _count(node, {}) > _MOST_VALUES:", "if False:"),
            ("yaml.SafeLoader(text)", "yaml.UnsafeLoader(text)"),
            ("except RecursionError", "except ZeroDivisionError"),
            ("except ValueError", "except ZeroDivisionError"),
            ("except yaml.YAMLError", "except ZeroDivisionError"),
        ],
    },
    "csv": {"base/tables.py": [("if _FORMULA.match(text) else text", "if False else text")]},
    "markup": {
        "base/tables.py": [
            (
                r'return _SIGNS.sub(r"\\\g<0>", html.escape(one_line, quote=False))',
                "return one_line",
            ),
        ],
        "report/html.py": [("autoescape=True", "autoescape=False")],
    },
    "model": {
        **_TRACEBACKS,
        "runtimes/card.py": [
            ("> _MAX_ENTRIES:", "> 10**9:"),
            ("file.read(_MAX_ENTRY_BYTES + 1)", "file.read()"),
            ("AttributeError, RecursionError, OverflowError)", "AttributeError)"),
            ("except _DAMAGE as error:", "except ZeroDivisionError as error:"),
        ],
        "runtimes/keras.py": [("safe_mode=True", "safe_mode=False")],
    },
    "registry": {
        "base/archive.py": [
            ("if not inside or not name.isprintable():", "if False:"),
            ("if files > MOST_FILES or size > MOST_BYTES:", "if False:"),
        ],
    },
    "address": {
        "base/addresses.py": [
            ("    scheme, secret, known = _split(address)\n", "    return address\n"),
        ],
    },
    "server": {},  # careless_server stands for them
    "serve": {
        "../../flows/login.py": [
            ('"PREFECT_SERVER_API_AUTH_STRING": self.auth_string,', ""),
            ('",".join(self.own_origins)', '"*"'),
        ],
        "../../flows/pool.py": [("base_job_template=job_template(), ", "")],
        "../../flows/serve.py": [
            ('",".join(hosts)', '"*"'),
            ('",".join(f"http://{host}" for host in hosts)', '"*"'),
        ],
    },
}


def broken_copy(folder: Path, kind: str) -> Path:
    """Copy src and flows into `folder`, without a kind's checks. returns: for PYTHONPATH"""
    source = folder / "src"
    for name in ("src", "flows"):
        kept_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=kept_out)
    for name, changes in WITHOUT[kind].items():
        path = source / "pocketear" / name
        text = path.read_text(encoding="utf-8")
        for before, after in changes:
            assert before in text, (name, before)
            text = text.replace(before, after)
        path.write_text(text, encoding="utf-8")
    return source


def check_imports(source: Path, kind: str) -> None:
    """Whether what was changed can still be imported: a copy that cannot would let every case fall.

    raises: CalledProcessError if not, after its traceback
    """
    changed = [name.removesuffix(".py").replace("/", ".") for name in WITHOUT[kind]]
    modules = [f"pocketear.{name}" for name in changed if not name.startswith(".")]
    if modules:
        command = [sys.executable, "-c", f"import {', '.join(modules)}"]
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(source)}, check=True)


def careless_server(folder: Path) -> ThreadingHTTPServer:
    """A server that gives any file to anybody, by its path as it is asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = Path(f"{folder}/reports{unquote(self.path)}")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(path.read_bytes() if path.is_file() else b"page")

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Leave the screen to the table."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)
