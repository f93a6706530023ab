"""parity: parity.json -> the matrix of stages and runtimes, as the page shows it."""

from dataclasses import dataclass
from typing import Any

from pocketear.report.wording import SHARES, number

_REFERENCES = {"logits": "Keras", "scores": "Keras"}  # of any other stage: librosa


@dataclass(frozen=True)
class Cell:
    """One stage of one runtime. state: pass | fail | told (no limit) | absent | "" (a reference)"""

    text: str
    note: str
    state: str


@dataclass(frozen=True)
class StageRow:
    """One stage in every runtime, against its reference."""

    stage: str
    reference: str
    cells: list[Cell]


def matrix(parity: dict[str, Any], limits: dict[str, Any]) -> tuple[list[str], list[StageRow]]:
    """limits: of params.gate, by name. returns: the runtimes, the stages in journey's order"""
    entries = {(entry["runtime"], entry["stage"]): entry for entry in parity["entries"]}
    runtimes = list(dict.fromkeys(runtime for runtime, _ in entries))
    rows = [
        StageRow(
            stage,
            _REFERENCES.get(stage, "librosa"),
            [_cell(entries.get((runtime, stage)), limits) for runtime in runtimes],
        )
        for stage in dict.fromkeys(stage for _, stage in entries)
    ]
    return runtimes, rows


def _cell(entry: dict[str, Any] | None, limits: dict[str, Any]) -> Cell:
    if entry is None:
        return Cell("", "", "")
    if entry["absent"]:
        return Cell("absent", entry["absent"], "fail" if entry["limits"] else "absent")
    judged = dict(entry["limits"])
    figure = next(iter(judged), "max_rel")
    passed = all(entry[name] <= limits[limit] for name, limit in judged.items())
    text = number(entry[figure], share=figure in SHARES)
    text = f"{text} flips" if figure == "flips" else text
    allowed = [f"{number(limits[limit], share=name in SHARES)}" for name, limit in judged.items()]
    note = "; ".join(
        [
            *(f"at most {limit}" for limit in allowed),
            f"largest error {number(entry['max_abs'])}, {number(entry['max_rel'])} relative",
            f"SNR {entry['snr_db']:.0f} dB",
            f"worst {entry['worst']}",
        ]
    )
    return Cell(text, note, ("pass" if passed else "fail") if judged else "told")
