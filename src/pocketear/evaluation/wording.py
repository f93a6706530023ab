"""wording: figures and gates in words, the same on a page, a terminal and in a package."""

from typing import NamedTuple

from pocketear.contracts.verdict import Gate

_RUNTIMES = {
    "crossvalidated": "cross-validated",
    "keras": "Keras",
    "litert": "LiteRT",
    "coreml": "Core ML",
    "librosa": "librosa",
}
_GATES = {
    "accuracy": "accuracy",
    "accuracy_low": "accuracy on new people, at least (95 %)",
    "recall_low": "recall of the worst label, at least (95 %)",
    "recall_min": "recall of the worst label",
    "calibration_error": "calibration error",
    "accuracy_drop": "accuracy lost against Keras",
    "recall_drop": "recall lost by a label",
    "miss_rate": "sounds of the worst label with no event",
    "false_alarms_per_hour": "false alarms an hour, at most (95 %)",
    "frames.max_rel": "frames against librosa",
    "power.max_rel": "power spectrum against librosa",
    "mel.max_rel": "mel powers against librosa",
    "features.max_rel": "front-end against librosa",
    "logits.max_rel": "logits against Keras",
    "scores.max_abs": "scores against Keras",
    "scores.flips": "decisions that differ from Keras",
    "audit.separation": "labels separated by how they were recorded",
    "file_bytes": "size of the .tflite",
    "host.ratio": "time of listening on this machine, as a share of YAMNet's",
    "instructions_per_second": "instructions a second of listening",
    "estimate_ms_per_second": "time a second of listening, estimated",
    "ms_per_listening_second": "time a second of listening, measured",
    "peak_bytes": "memory",
}
_CONDITIONS = {  # of evaluation/conditions
    "phone_band": "nothing above 4 kHz",
    "amr": "through AMR-NB",
    "aac": "through AAC",
    "quiet_30": "30 dB quieter",
    "loud_10": "10 dB louder, clipped",
    "noise_20": "noise 20 dB below",
    "noise_10": "noise 10 dB below",
    "noise_0": "noise as loud",
    "room": "in a room",
    "shift": "100 ms later",
}
SHARES = {
    *(
        "accuracy",
        "accuracy_low",
        "recall_low",
        "recall_min",
        "calibration_error",
        "accuracy_drop",
        "recall_drop",
    ),
    *("flips", "miss_rate"),
}
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_KILO, _MILLION, _SMALL = 1000, 1e6, 1e-3


class GateText(NamedTuple):
    """A gate in words. subject: what is judged, "" where it is the whole; figure: by what."""

    subject: str
    figure: str
    limit: str
    value: str

    @property
    def name(self) -> str:
        """subject: figure"""
        return f"{self.subject}: {self.figure}" if self.subject else self.figure


def gate_text(gate: Gate) -> GateText:
    """The one way in which a gate is written out."""
    share = gate.name.rpartition(".")[2] in SHARES
    sign = "≥" if gate.sense == "at least" else "≤"
    value = number(gate.value, gate.unit, share=share)
    if gate.timed:
        value = "within it" if gate.passed else "over it, or not measured"
    limit = f"{sign} {number(gate.limit, gate.unit, share=share)}"
    return GateText(*gate_name(gate.name), limit, value)


def runner_name(name: str) -> str:
    """`litert_int8` -> LiteRT int8."""
    runtime, _, variant = name.partition("_")
    return f"{_RUNTIMES.get(runtime, runtime)} {variant}".strip()


def gate_name(name: str) -> tuple[str, str]:
    """A gate's name -> what is judged ("" where it is the whole), and by which figure."""
    subject, _, figure = name.partition(".")
    if subject == "robust":
        condition, _, figure = figure.partition(".")
        return "", f"{_GATES[figure]}, {_CONDITIONS.get(condition, condition)}"
    if subject.partition("_")[0] in _RUNTIMES:
        return runner_name(subject), _GATES.get(figure, figure.replace("_", " ").replace(".", ", "))
    if figure in _GATES:  # of a phone class
        return subject, _GATES[figure]
    return "", _GATES.get(name, name.replace("_", " ").replace(".", ", "))


def number(value: float | None, unit: str = "", *, share: bool = False) -> str:
    """A value as people read it: percent, kB, millions, or three digits and a power of ten.

    unit: "B" becomes kB or MB; any other is put behind
    """
    if value is None:
        return "not measured"
    unit = unit.strip()
    if share:
        return f"{100 * value:.1f} %".replace("-0.0 %", "0.0 %")
    if unit == "B":
        return size(value)
    if 0 < abs(value) < _SMALL:
        digits, _, power = f"{value:.1e}".partition("e")
        text = f"{float(digits):g} × 10{str(int(power)).translate(_SUPERSCRIPT)}"
    elif abs(value) < _KILO:
        text = f"{value:.3g}"
    elif abs(value) < _MILLION:
        text = f"{value:,.0f}".replace(",", " ")
    else:
        text = f"{value / _MILLION:.3g} M"
    return f"{text} {unit}".strip()


def size(count: float) -> str:
    """Bytes as B, kB or MB (powers of 1000)."""
    for unit in ("B", "kB", "MB"):
        if count < _KILO or unit == "MB":
            return f"{count:.0f} {unit}" if count >= 100 or unit == "B" else f"{count:.1f} {unit}"
        count /= _KILO
    raise AssertionError  # the loop returns at MB


def plural(count: int, noun: str) -> str:
    """1 clip, 2 clips."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
