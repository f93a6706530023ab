"""assets: what the page needs besides itself, from npm packages, once; nothing from a CDN."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from pocketear.base.errors import PackagingError
from pocketear.base.files import replacing

CACHE = Path(".pocketear/demo")
_LOCK = ("package.json", "package-lock.json")  # the lock holds a hash of every package
_HERE = Path(__file__).parent
_CLIENT = "node_modules/@mediapipe/tasks-audio"
_TIMEOUT_S = 300


def client_folder() -> Path:
    """The folder of MediaPipe's web client, fetched by npm where it is not there yet.

    raises: PackagingError if npm is absent, or cannot fetch it
    """
    digest = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _LOCK)).hexdigest()
    folder = CACHE / digest[:12]
    if not folder.exists():
        with replacing(folder) as fresh:
            fresh.mkdir()
            for name in _LOCK:
                shutil.copy(_HERE / name, fresh)
            _npm_ci(fresh)
    return folder / _CLIENT


def _npm_ci(folder: Path) -> None:
    npm = shutil.which("npm")
    if not npm:
        raise PackagingError(
            "npm: not found; install Node.js (apt-get install npm), then try again"
        )
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PackagingError(f"npm: no answer in {_TIMEOUT_S} s; is there a network?") from error
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if line.strip()), "it failed")
        raise PackagingError(f"npm: cannot fetch what the page needs: {reason.strip()}")
