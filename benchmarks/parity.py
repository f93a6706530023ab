"""parity: every stage in every runtime, on the real recordings of ESC-10's fold 1 and on probes.

The stages up to `parity`, in a scratch project. The model is trained for EPOCHS only, on the other
folds: this checks whether the runtimes agree with librosa and Keras, not whether the model is good.
"""

from pathlib import Path
from typing import Any

import claim
from pocketear.contracts.parity import ParityReport
from pocketear.contracts.report_file import read
from project import ESC10, need_esc10, run_stage, scratch_project

EPOCHS, CLIPS = 40, 80  # all clips of the fold
CHANGES: dict[str, dict[str, Any]] = {
    "data": {"source": "esc", "path": str(ESC10)},
    "split": {"by": "fold", "test_fold": 1},
    "train": {"epochs": EPOCHS},
    "parity": {"clips": CLIPS},
}
STAGES = ("ingest", "validate", "split", "featurize", "train", "export_litert", "export_coreml",
          "parity")  # fmt: skip
FIGURES = {"max_abs", "max_rel", "snr_db", "flips", "absent"}


def compared() -> ParityReport:
    """Train, export and compare."""
    with scratch_project(CHANGES) as folder:
        for name in STAGES:
            print(f"parity: {name}", flush=True)
            run_stage(name)
        return read(folder / "reports/parity.json", ParityReport)


def main() -> None:
    """Publish the matrix."""
    need_esc10()
    report = compared()
    entries = {
        f"{entry.runtime}.{entry.stage}": {
            **entry.model_dump(include=FIGURES, exclude_defaults=True),
            "worst": Path(entry.worst).name,
        }
        for entry in report.entries
    }
    claim.publish("parity", {"windows": len(report.windows), "epochs": EPOCHS, **entries})


if __name__ == "__main__":
    main()
