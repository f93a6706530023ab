"""notify: announce to Prefect that data or parameters changed, once for each change."""

import argparse
import asyncio
import hashlib
import subprocess
import sys
import uuid
from pathlib import Path

from prefect.events import Event, Resource
from prefect.events.clients import get_events_client

from server import check_server
from stage_runs import PipelineError

EVENT, RESOURCE = "dataset.changed", "pocketear.dataset"
LAST = Path(".pocketear/notified")


def notify(root: Path) -> str | None:
    """Emit `dataset.changed` if HEAD's data and parameters have changed; their new digest.

    raises: PipelineError if no server answers, or `root` is not a Git repository with a commit
    """
    digest = dataset_digest(root)
    last = root / LAST
    if last.exists() and last.read_text(encoding="utf-8").strip() == digest:
        return None
    check_server()  # the events client would report it with many lines, or retry for long
    asyncio.run(_emit(digest))
    last.parent.mkdir(exist_ok=True)
    last.write_text(digest + "\n", encoding="utf-8")
    return digest


def dataset_digest(root: Path) -> str:
    """SHA-256 over what HEAD holds of params.yaml, data/ and every .dvc file."""
    listing = ["git", "ls-tree", "-r", "HEAD"]
    done = subprocess.run(listing, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PipelineError(f"{root}: {done.stderr.strip().splitlines()[0]}")
    kept = [line for line in done.stdout.splitlines() if _watched(line.partition("\t")[2])]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()


def _watched(path: str) -> bool:
    return path == "params.yaml" or path.startswith("data/") or path.endswith(".dvc")


async def _emit(digest: str) -> None:
    # the id is made of the digest: Prefect accepts an event once, even if two machines send it
    event = Event(
        event=EVENT,
        resource=Resource({"prefect.resource.id": RESOURCE}),
        payload={"digest": digest},
        id=uuid.uuid5(uuid.NAMESPACE_URL, f"{RESOURCE}/{digest}"),
    )
    async with get_events_client() as events:
        await events.emit(event)


def main() -> None:
    """Announce the change in the working folder's HEAD, if there is one."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        digest = notify(Path.cwd())
    except PipelineError as error:
        sys.exit(f"error: {error}")
    print(f"announced {digest[:12]}" if digest else "nothing changed since the last time")


if __name__ == "__main__":
    main()
