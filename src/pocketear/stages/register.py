"""register: the model and its verdict become a version in MLflow's registry.

models + reports -> registered.json. The same files with the same verdict and serving code are the
same version. A refused model is registered too: what was tried and why it does not ship is worth
knowing.
"""

from pathlib import Path

from pocketear.base import process
from pocketear.contracts.registered import Registered
from pocketear.contracts.report_file import write
from pocketear.experiments.candidate import Candidate
from pocketear.experiments.registry import register_or_keep
from pocketear.params import load_params


def main(models: Path, reports: Path, out: Path) -> None:
    """Register what `gate` judged; without a server it is kept and registered later."""
    candidate = Candidate(models, reports, load_params())
    version = register_or_keep(candidate)
    # no run id and no number, which differ by server: a version is found by its identity
    write(Registered(name=candidate.name, identity=candidate.identity()), out)
    print(f"register: {candidate.name} version {version.version if version else 'not yet known'}")


if __name__ == "__main__":
    process.run(main)
