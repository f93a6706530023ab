"""card: the card that travels inside a .tflite, so that nothing is typed twice on a phone.

A .tflite carries two things besides its graph: a TFLITE_METADATA flatbuffer and, appended to the
file, a stored zip with labels.txt. With both, MediaPipe's AudioClassifier opens it unchanged. The
zip also holds pocketear.json, which is what our own listeners read. Reading needs neither
TensorFlow nor flatbuffers: a .tflite with a card is a zip with a graph in front.

source: TensorFlow Lite metadata_schema.fbs; MediaPipe tasks/metadata/metadata_schema.fbs
"""

import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketear.base.errors import RunnerError, shown

if TYPE_CHECKING:
    import flatbuffers

    from pocketear.params import Params

CARD, LABELS = "pocketear.json", "labels.txt"
_MAX_ENTRY_BYTES = 1 << 20  # a card is a few kB; more is damage, or a trap
_MAX_ENTRIES = 16
_DAMAGE = (  # what zipfile raises on bytes that were changed
    zipfile.BadZipFile, KeyError, ValueError, OSError, RuntimeError, EOFError, zlib.error,
)  # fmt: skip
_WRONG = (KeyError, TypeError, ValueError, AttributeError, RecursionError, OverflowError)  # in JSON
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for much memory to start
_DATE = (1980, 1, 1, 0, 0, 0)
# the sections that a model is a function of: a new limit for a gate is not a new model
_MADE_WITH = {
    *("seed", "data", "validation", "split", "frontend"),
    *("augment", "model", "train", "listener"),
}


@dataclass(frozen=True)
class ListenerSettings:
    """From windows to events; what listener.json holds. Lengths in samples, thresholds 0 to 1.

    quiet_peak: full scale is 1; a window with no sample beyond it is not run, all its scores are 0
    raises: ValueError naming the first rule broken
    """

    hop_length: int
    smoothing: int
    hysteresis: float
    min_seconds: float
    refractory_seconds: float
    thresholds: Mapping[str, float]
    background: tuple[str, ...]
    quiet_peak: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.hysteresis, self.min_seconds, self.refractory_seconds)
        rules = {
            "hop_length must be at least 1": self.hop_length >= 1,
            "smoothing must be at least 1": self.smoothing >= 1,
            "hysteresis, min_seconds and refractory_seconds must be finite and not negative": all(
                math.isfinite(number) and number >= 0 for number in numbers
            ),
            "quiet_peak must be at least 0 and below 1": 0 <= self.quiet_peak < 1,
            "thresholds must be finite": all(map(math.isfinite, self.thresholds.values())),
            "hysteresis must be below every threshold, else an event never ends": all(
                self.hysteresis < threshold for threshold in self.thresholds.values()
            ),
        }
        for rule, holds in rules.items():
            if not holds:
                raise ValueError(rule)


@dataclass(frozen=True)
class ModelCard:
    """Everything that an app must know of a model file. sample_rate in Hz, lengths in samples.

    made_from: what was hashed -> SHA-256, of whatever the model is a function of
    rendered: whether it was trained on sounds made by a recipe, and none was recorded
    bandwidth: Hz; recordings that end below it are narrower than what it was trained on; 0: unknown
    raises: ValueError naming the first rule broken
    """

    name: str
    version: str
    variant: str
    licence: str
    labels: tuple[str, ...]
    sample_rate: int
    window_length: int
    listener: ListenerSettings
    frontend: Mapping[str, Any] = field(default_factory=dict)
    made_from: Mapping[str, str] = field(default_factory=dict)
    rendered: bool = False
    bandwidth: float = 0.0

    def __post_init__(self) -> None:
        sounding = set(self.labels) - set(self.listener.background)
        wrong = sorted(sounding.symmetric_difference(self.listener.thresholds))
        rules = {
            "labels must be at least one, each once": 0 < len(self.labels) == len(set(self.labels)),
            "sample_rate must be at least 1": self.sample_rate >= 1,
            "hop_length must be at most window_length": self.hop_length <= self.window_length,
            f"one threshold a label that is not background, wrong for {wrong}": not wrong,
        }
        for rule, holds in rules.items():
            if not holds:
                raise ValueError(rule)

    @property
    def hop_length(self) -> int:
        """Samples between two windows of the listener."""
        return self.listener.hop_length


def settings_from(data: Mapping[str, Any]) -> ListenerSettings:
    """The settings that listener.json, or the `listener` of a card, holds.

    raises: RunnerError naming what is missing or wrong
    """
    try:
        return _settings(data)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RunnerError(f"listener settings: {_reason(error)}; train again") from error


def settings_json(settings: ListenerSettings) -> dict[str, Any]:
    """`settings` in the form of listener.json."""
    return {**asdict(settings), "background": list(settings.background)}


def card_for(
    params: "Params",
    labels: tuple[str, ...],
    listener: Mapping[str, Any],
    variant: str,
    made_from: Mapping[str, str] | None = None,
) -> ModelCard:
    """The card of one exported variant.

    listener: what settings_json gives holds
    made_from: hashes to record beside the one of params.yaml
    """
    values = json.dumps(params.model_dump(mode="json", include=_MADE_WITH), sort_keys=True)
    try:
        return ModelCard(
            name=params.package.name,
            version=params.package.version,
            variant=variant,
            licence=params.package.licence,
            labels=tuple(labels),
            sample_rate=params.frontend.sample_rate,
            window_length=params.frontend.window_length,
            listener=settings_from(listener),
            frontend=params.frontend.model_dump(mode="json"),
            made_from={**(made_from or {}), "params": hashlib.sha256(values.encode()).hexdigest()},
            rendered=params.data.rendered,
        )
    except ValueError as error:
        raise RunnerError(f"model card: {error}; run `dvc repro`") from error


def card_json(card: ModelCard) -> str:
    """`card` as the text of pocketear.json: the same text for the same card."""
    data = {**asdict(card), "listener": settings_json(card.listener), "labels": list(card.labels)}
    return json.dumps(data, sort_keys=True, ensure_ascii=False, indent=1) + "\n"


def card_from(text: str) -> ModelCard:
    """Read the text of a pocketear.json.

    raises: RunnerError naming what is missing or wrong
    """
    try:
        return _card(json.loads(text))
    except _WRONG as error:
        raise RunnerError(f"{CARD} inside the model: {_reason(error)}; export it again") from error


def read_card(path: Path) -> ModelCard:
    """Read the card inside a .tflite.

    raises: RunnerError if there is none, or it is damaged
    """
    try:
        with zipfile.ZipFile(path) as archive:
            text = _entry(archive, CARD).decode("utf-8")
            labels = _entry(archive, LABELS).decode("utf-8").splitlines()
        card = card_from(text)
    except FileNotFoundError as error:
        raise RunnerError(f"{path}: not found; `dvc repro` makes it") from error
    except RunnerError as error:
        raise RunnerError(f"{path}: {error}") from error
    except _DAMAGE as error:
        reason = _reason(error)
        raise RunnerError(f"{path}: no readable model card ({reason}); export it again") from error
    if tuple(labels) != card.labels:
        raise RunnerError(f"{path}: {LABELS} and {CARD} name other labels; export it again")
    return card


def check_metadata(path: Path, card: ModelCard) -> None:
    """Whether the TensorFlow Lite metadata, which MediaPipe goes by, says what `card` says.

    raises: RunnerError if it does not
    """
    if _model_metadata(card) not in path.read_bytes():
        reason = f"its TFLite metadata has another sample rate, name or version than {CARD}"
        raise RunnerError(f"{path}: {reason}; export it again")


def read_package_card(mlpackage: Path) -> ModelCard:
    """Read the card in the user-defined metadata of an .mlpackage, without coremltools.

    Metadata is a protobuf map from text to text: each entry is its key (field 1, of a length), then
    its value (field 2, of a length in base 128).

    raises: RunnerError if there is none, or it is damaged
    """
    path = mlpackage / "Data" / "com.apple.CoreML" / "model.mlmodel"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunnerError(f"{path}: cannot be read ({error.strerror}); export it again") from error
    _, found, rest = content.partition(b"\n" + bytes([len(CARD)]) + CARD.encode() + b"\x12")
    size, digits = 0, 0
    for digits, byte in enumerate(rest[:4], start=1):
        size |= (byte & 0x7F) << 7 * (digits - 1)
        if byte < 0x80:
            break
    try:
        if not found:
            raise RunnerError("no model card in its metadata; export it again")
        return card_from(rest[digits : digits + size].decode("utf-8"))
    except (RunnerError, UnicodeDecodeError) as error:
        raise RunnerError(f"{mlpackage}: {error}") from error


def write_card(tflite: bytes, card: ModelCard) -> bytes:
    """Put `card` inside a .tflite: the same bytes for the same input.

    returns: the .tflite with metadata, then a stored zip of labels.txt and pocketear.json
    """
    content = io.BytesIO()
    content.write(_with_metadata(tflite, _model_metadata(card)))
    with zipfile.ZipFile(content, "a") as archive:
        for name, text in ((LABELS, "\n".join(card.labels) + "\n"), (CARD, card_json(card))):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, text.encode("utf-8"))
    return content.getvalue()


def _with_metadata(tflite: bytes, metadata: bytes) -> bytes:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(tflite, 0))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(metadata)
    entry.name, entry.buffer = b"TFLITE_METADATA", len(model.buffers)
    kept = [old for old in model.metadata or [] if old.name != entry.name]
    model.metadata, model.buffers = [*kept, entry], [*model.buffers, buffer]
    builder = _aligned_builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _aligned_builder() -> "flatbuffers.Builder":
    """A builder that keeps weights at multiples of 16 bytes, as the schema's force_align wants."""
    import flatbuffers
    import numpy as np

    class Aligned(flatbuffers.Builder):
        def CreateNumpyVector(self, x: Any) -> int:
            if x.dtype != np.uint8:
                return int(super().CreateNumpyVector(x))
            self.StartVector(1, x.size, 16)
            self.head = self.Head() - x.size
            self.Bytes[self.Head() : self.Head() + x.size] = x.tobytes()
            return int(self.EndVector())

    return Aligned(1024)


def _model_metadata(card: ModelCard) -> bytes:
    """A ModelMetadata flatbuffer: name, one audio input, one output with a label file.

    Written slot by slot: no package that can be installed beside LiteRT writes this schema.
    """
    import flatbuffers

    builder = flatbuffers.Builder(256)
    audio = _table(builder, 2, {0: ("Uint32", card.sample_rate), 1: ("Uint32", 1)})
    content = _table(builder, 2, {0: ("Uint8", 4), 1: ("Offset", audio)})  # 4: AudioProperties
    name = builder.CreateString("waveform")
    source = _table(builder, 8, {0: ("Offset", name), 3: ("Offset", content)})
    name = builder.CreateString(LABELS)
    file = _table(builder, 3, {0: ("Offset", name), 2: ("Int8", 2)})  # 2: TENSOR_AXIS_LABELS
    name, files = builder.CreateString("scores"), _vector(builder, file)
    sink = _table(builder, 8, {0: ("Offset", name), 6: ("Offset", files)})
    sources, sinks = _vector(builder, source), _vector(builder, sink)
    graph = _table(builder, 9, {2: ("Offset", sources), 3: ("Offset", sinks)})
    name, graphs = builder.CreateString(card.name), _vector(builder, graph)
    version, licence = builder.CreateString(card.version), builder.CreateString(card.licence)
    parser = builder.CreateString("1.3.0")  # the first with AudioProperties
    slots = {0: name, 2: version, 3: graphs, 5: licence, 7: parser}
    root = _table(builder, 8, {slot: ("Offset", value) for slot, value in slots.items()})
    builder.Finish(root, b"M001")
    return bytes(builder.Output())


def _table(builder: Any, slots: int, values: Mapping[int, tuple[str, int]]) -> int:
    """A flatbuffer table with `values`: slot -> (kind, value)."""
    builder.StartObject(slots)
    for slot, (kind, value) in values.items():
        prepend = "UOffsetTRelative" if kind == "Offset" else kind
        getattr(builder, f"Prepend{prepend}Slot")(slot, value, 0)
    return int(builder.EndObject())


def _vector(builder: Any, offset: int) -> int:
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    if len(archive.infolist()) > _MAX_ENTRIES:
        raise RunnerError("the zip inside holds too many files; export it again")
    if archive.getinfo(name).compress_type not in _METHODS:
        raise RunnerError(f"{name} inside is neither stored nor deflated; export it again")
    with archive.open(name) as file:
        content = file.read(_MAX_ENTRY_BYTES + 1)
    if len(content) > _MAX_ENTRY_BYTES:
        raise RunnerError(f"{name} inside is larger than 1 MiB; export it again")
    return content


def _card(data: Mapping[str, Any]) -> ModelCard:
    return ModelCard(
        name=str(data["name"]),
        version=str(data["version"]),
        variant=str(data["variant"]),
        licence=str(data["licence"]),
        labels=tuple(_texts(data["labels"])),
        sample_rate=_whole(data["sample_rate"]),
        window_length=_whole(data["window_length"]),
        listener=_settings(data["listener"]),
        frontend=dict(data["frontend"]),
        made_from={name: str(digest) for name, digest in data["made_from"].items()},
        rendered=data.get("rendered", False) is True,
        bandwidth=float(data.get("bandwidth", 0.0)),
    )


def _settings(data: Mapping[str, Any]) -> ListenerSettings:
    return ListenerSettings(
        hop_length=_whole(data["hop_length"]),
        smoothing=_whole(data["smoothing"]),
        hysteresis=float(data["hysteresis"]),
        min_seconds=float(data["min_seconds"]),
        refractory_seconds=float(data["refractory_seconds"]),
        thresholds={label: float(value) for label, value in data["thresholds"].items()},
        background=tuple(_texts(data["background"])),
        quiet_peak=float(data.get("quiet_peak", 0)),  # a card of an earlier version has none
    )


def _texts(values: Any) -> Iterator[str]:
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"want a list of texts, found {shown(values)}")
    yield from values


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"want a whole number, found {shown(value)}")
    return value


def _reason(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)[:200]
