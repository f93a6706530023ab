"""names: of files below models/, of variants and runners, and of layers that exported files keep.

Nothing heavy is imported here: `predict` starts with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pocketear.params import ExportParams

# The graph: names of inputs, layers and outputs, which every exported file keeps.
WAVEFORM, FRONT_END, NORMALISE, LOGITS, SCORES = (
    "waveform", "front_end", "normalise", "logits", "scores",
)  # fmt: skip
STATE, NEXT_STATE = "state_in", "state_out"  # of a file that takes one chunk at a time
CHUNKS = "chunks"  # the features of a window, chunk by chunk
STATISTICS, WINDOW = "statistics", "window"  # of a chunk, and of the chunks of a window
WINDOW_STATISTICS = "window_statistics"  # of the window as a whole: what the last layer sees
LITERT_VARIANTS = ("fp32", "int8")
COREML_VARIANTS = ("fp32", "fp16", "int8")
KERAS = "keras"  # the runner that every file is compared with
SCORE_COLUMN = "score_"  # before a label: its column among the predictions


@dataclass(frozen=True)
class ModelFiles:
    """Every file below models/. name: params.package.name"""

    root: Path
    name: str

    @property
    def keras(self) -> Path:
        """The trained model."""
        return self.root / "keras" / "model.keras"

    @property
    def labels(self) -> Path:
        """The label of output number n in line n."""
        return self.root / "keras" / "labels.txt"

    @property
    def training_code(self) -> Path:
        """The hash of the code that trained the model."""
        return self.root / "keras" / "code.sha256"

    @property
    def backbone(self) -> Path:
        """The hash of the file that a pretrained model started from; missing for others."""
        return self.root / "keras" / "backbone.sha256"

    @property
    def card(self) -> Path:
        """What every exported file has inside."""
        return self.root / "litert" / "card.json"

    def litert(self, variant: str) -> Path:
        """A .tflite. variant: of LITERT_VARIANTS"""
        return self.root / "litert" / f"{self.name}_{variant}.tflite"

    def coreml(self, variant: str) -> Path:
        """An .mlpackage. variant: of COREML_VARIANTS"""
        return self.root / "coreml" / f"{self.name}_{variant}.mlpackage"

    def litert_window(self, variant: str) -> Path:
        """The same network as one graph of a whole window, for MediaPipe."""
        return of_windows(self.litert(variant))

    def coreml_window(self, variant: str) -> Path:
        """The same network as one program of a whole window, for SoundAnalysis."""
        return of_windows(self.coreml(variant))

    def by_runner(self) -> dict[str, Path]:
        """Runner -> file, of all that is exported, Keras first."""
        return {
            KERAS: self.keras,
            **{litert_runner(variant): self.litert(variant) for variant in LITERT_VARIANTS},
            **{coreml_runner(variant): self.coreml(variant) for variant in COREML_VARIANTS},
        }


def of_windows(path: Path) -> Path:
    """Beside a file that takes chunks: the name of the one that takes windows."""
    return path.with_name(f"{path.stem}_{WINDOW}{path.suffix}")


def litert_runner(variant: str) -> str:
    """The runner of a .tflite, as reports name it."""
    return f"litert_{variant}"


def coreml_runner(variant: str) -> str:
    """The runner of an .mlpackage, as reports name it."""
    return f"coreml_{variant}"


def shipped_runners(export: "ExportParams") -> tuple[str, str]:
    """The runners of the files that ship: Android's, iOS's."""
    return litert_runner(export.android), coreml_runner(export.ios)


def labels_of(columns: Iterable[str]) -> list[str]:
    """The labels of a prediction table, in output order."""
    return [name.removeprefix(SCORE_COLUMN) for name in columns if name.startswith(SCORE_COLUMN)]
