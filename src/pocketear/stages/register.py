"""register: the judged model becomes a version in the registry, its verdict written on it.

models + reports -> registered.json. The same files with the same verdict are the same version. A
refused model is registered too: what was tried, and why it does not ship, is worth knowing.
"""

import json
from pathlib import Path

from pocketear.base import files, process
from pocketear.experiments.candidate import Judged
from pocketear.experiments.registry import register_or_keep
from pocketear.params import load_params


def main(models: Path, reports: Path, out: Path) -> None:
    """Register what `gate` judged; without a server it is kept and registered later."""
    judged = Judged(models, reports, load_params())
    version = register_or_keep(judged)
    number, run_id = (version.version, version.run_id) if version else (None, None)
    registered = {"name": judged.name, "version": number, "run_id": run_id}
    with files.replacing(out) as fresh:
        fresh.write_text(json.dumps(registered, indent=2) + "\n", encoding="utf-8")
    print(f"register: {judged.name} version {number or 'not yet known'}")


if __name__ == "__main__":
    process.run(main)
