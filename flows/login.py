"""login: a secret for each start of `make serve`, without which Prefect's API answers nothing.

Whoever can call the API can start runs, and every web page open in a browser on this machine can
send requests to a loopback port. The server gets the secret in its environment. `prefect …` and
the flows find it, with the server's address, in a profile that prefect.toml points at.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pocketear.base.loopback import own_hosts

PROFILES = Path(".pocketear/prefect/profiles.toml")  # `profiles_path` in prefect.toml
_USER = "pocketear"


@dataclass(frozen=True)
class Login:
    """What a server and its clients need to know. own_origins: where the server's pages are."""

    api: str
    own_origins: tuple[str, ...]
    auth_string: str = field(repr=False)

    def for_server(self) -> dict[str, str]:
        """Settings by which a server refuses everyone else."""
        return {
            "PREFECT_SERVER_API_AUTH_STRING": self.auth_string,
            "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": ",".join(self.own_origins),
        }

    def for_client(self) -> dict[str, str]:
        """Settings by which a client finds the server and is admitted."""
        return {"PREFECT_API_URL": self.api, "PREFECT_API_AUTH_STRING": self.auth_string}


def new_login(port: int) -> Login:
    """A login with a fresh secret, for a server on this machine."""
    origins = tuple(f"http://{host}" for host in own_hosts(port))
    return Login(f"{origins[0]}/api", origins, f"{_USER}:{secrets.token_urlsafe(32)}")


@contextmanager
def stored(login: Login, root: Path) -> Iterator[None]:
    """Keep the client's settings in a file that only this user can read, until the block ends."""
    settings = "".join(f'{name} = "{value}"\n' for name, value in login.for_client().items())
    path = root / PROFILES
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # of a `make serve` that was killed
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "w", encoding="utf-8") as profiles:
            profiles.write(f'active = "serve"\n\n[profiles.serve]\n{settings}')
        yield
    finally:
        path.unlink(missing_ok=True)
