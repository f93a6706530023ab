"""parity: parity.json and its gates -> the matrix of stages and runtimes, as the page shows it."""

from collections.abc import Mapping
from dataclasses import dataclass

from pocketear.contracts.names import LOGITS, SCORES
from pocketear.contracts.parity import ParityCell, ParityReport
from pocketear.contracts.verdict import Gate, Verdict
from pocketear.evaluation.wording import gate_text, number

_KERAS_STAGES = (LOGITS, SCORES)  # compared with Keras; every other stage with librosa


@dataclass(frozen=True)
class Cell:
    """One stage of one runtime. state: pass | fail | ungated | absent

    text: the figure that its gate judges; note: every figure, with the worst clip
    """

    text: str
    note: str
    state: str


@dataclass(frozen=True)
class StageRow:
    """One stage in every runtime, against its reference; None where the runtime is that itself."""

    stage: str
    reference: str
    cells: list[Cell | None]


def matrix(parity: ParityReport, verdict: Verdict | None) -> tuple[list[str], list[StageRow]]:
    """Returns the runtimes, and the stages in the order of processing.

    verdict: says what passes; without one nothing is coloured
    """
    gates = {gate.name: gate for gate in verdict.gates} if verdict else {}
    entries = {(entry.runtime, entry.stage): entry for entry in parity.entries}
    runtimes = list(dict.fromkeys(runtime for runtime, _ in entries))
    rows = [
        StageRow(
            stage,
            "Keras" if stage in _KERAS_STAGES else "librosa",
            [_cell(entries.get((runtime, stage)), gates) for runtime in runtimes],
        )
        for stage in dict.fromkeys(stage for _, stage in entries)
    ]
    return runtimes, rows


def _cell(entry: ParityCell | None, gates: Mapping[str, Gate]) -> Cell | None:
    if entry is None:
        return None
    names = [f"{entry.runtime}.{entry.stage}.{figure}" for figure in entry.limits]
    judged = [gates[name] for name in names if name in gates]
    passed = all(gate.passed for gate in judged)
    if entry.absent:
        return Cell("absent", entry.absent, "absent" if passed else "fail")
    texts = [gate_text(gate) for gate in judged]
    value = texts[0].value if texts else number(entry.max_rel)
    figures = [
        *(f"limit {text.limit}" for text in texts),
        f"largest error {number(entry.max_abs)}, {number(entry.max_rel)} relative",
        f"SNR {number(entry.snr_db, 'dB')}",
        f"worst {entry.worst}",
    ]
    state = ("pass" if passed else "fail") if judged else "ungated"
    text = f"{value} flips" if "flips" in entry.limits and judged else value
    return Cell(text, "; ".join(figures), state)
