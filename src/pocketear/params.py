"""params: params.yaml -> one immutable, typed object. No maths here.

A function takes its own section, never the whole, so a signature says what the function depends
on; only a stage's `main` sees `Params`. Values and their units are described in params.yaml.
"""

import unicodedata
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pocketear.base.errors import ParamsError, shown
from pocketear.base.yaml_text import read_yaml
from pocketear.presets import PRESETS

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Label = Annotated[str, AfterValidator(partial(unicodedata.normalize, "NFC"))]  # as in the table
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Section(BaseModel):
    """A section: immutable, and a key that nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_word_became_true(cls, value: object, field: ValidationInfo) -> object:
        """A label `no`, or a limit `yes`: Pydantic would make a number of the latter."""
        inside = value if isinstance(value, list | tuple) else [value]
        wants = cls.model_fields[str(field.field_name)].annotation
        if wants is not bool and any(isinstance(one, bool) for one in inside):
            raise ValueError(
                "yes, no, on and off are true and false in YAML; "
                "put quotes round a word, or write a number"
            )
        return value


Content = TypeVar("Content", bound=Section)


def _hold(section: Content, rules: dict[str, bool]) -> Content:
    broken = [rule for rule, holds in rules.items() if not holds]
    if broken:
        raise ValueError("; ".join(broken))
    return section


class DataParams(Section):
    """Which dataset, and what its labels mean."""

    source: Literal["recipe", "folder", "esc", "esc10", "csv"]
    path: Annotated[Path, Field(strict=False)]
    labels: tuple[Label, ...]
    other: Label

    @property
    def rendered(self) -> bool:
        """Whether the sounds are made from a recipe, and none was recorded."""
        return self.source == "recipe"

    @model_validator(mode="after")
    def _labels_agree(self) -> Self:
        named = all(n and n.isprintable() and n == n.strip() for n in self.labels)
        return _hold(
            self,
            {
                "labels must be plain text, with no space at their ends": named,
                "labels must differ from each other": len(set(self.labels)) == len(self.labels),
                "other must be one of labels, to have a place in their order": not self.other
                or self.other in self.labels,
            },
        )


class GroupsParams(Section):
    """Whether clips of one recording are looked for."""

    find: Literal["auto", "always", "never"]


class ValidationParams(Section):
    """What a usable clip and a usable set are."""

    min_seconds: NonNegativeFloat
    max_seconds: PositiveFloat
    min_sample_rate: PositiveInt
    max_sample_rate: PositiveInt
    max_channels: PositiveInt
    min_level_dbfs: float
    max_clipped_share: Share
    max_dc_offset: Share
    max_silence_share: Share
    min_clips_per_label: PositiveInt
    max_set_aside_share: Share


class AuditParams(Section):
    """How well a property that is not sound may tell the labels apart: 0 chance, 1 perfect."""

    max_separation: Share
    mark_separation: Share

    @model_validator(mode="after")
    def _marks_first(self) -> Self:
        ordered = self.mark_separation <= self.max_separation
        return _hold(self, {"mark_separation must be at most max_separation": ordered})


class SplitParams(Section):
    """How clips are divided into train, val and test."""

    by: Literal["fold", "group"]
    test_fold: NonNegativeInt
    test_share: Annotated[float, Field(gt=0.0, le=0.5)]
    val_share: Annotated[float, Field(gt=0.0, le=0.5)]
    min_test_groups: PositiveInt
    crossvalidate: Literal["auto", "always", "never"]

    @property
    def folds(self) -> int:
        """How many folds of whole groups there are, of which one is the test side."""
        return round(1 / self.test_share)


class FrontEndParams(Section):
    """The front-end. Names as in librosa; lengths in samples, frequencies in Hz."""

    kind: Literal["log_mel", "mfcc"]
    sample_rate: Annotated[int, Field(ge=4000, le=192_000)]
    window_length: PositiveInt
    n_fft: PositiveInt
    win_length: PositiveInt
    hop_length: PositiveInt
    n_mels: PositiveInt
    fmin: NonNegativeFloat
    fmax: PositiveFloat
    mel_scale: Literal["slaney", "htk"]
    mel_norm: Literal["slaney", "none"]
    center: bool
    spectrum: Literal["power", "magnitude"]
    log: Literal["db", "ln"]
    floor: PositiveFloat
    floor_mode: Literal["clip", "add"]
    n_mfcc: PositiveInt
    lifter: NonNegativeInt

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, given: object) -> object:
        """`preset`, where it is not `none`, stands above what is written below it."""
        if not isinstance(given, dict) or "preset" not in given:
            return given
        name = given["preset"]
        if name != "none" and name not in PRESETS:
            known = ", ".join(["none", *PRESETS])
            raise ValueError(f"preset should be one of {known}, found {shown(name)}")
        rest = {key: value for key, value in given.items() if key != "preset"}
        return {**rest, **PRESETS.get(name, {})}

    @model_validator(mode="after")
    def _lengths_fit(self) -> Self:
        rules = {
            "win_length must be at most n_fft": self.win_length <= self.n_fft,
            "n_fft must be at most window_length": self.n_fft <= self.window_length,
            "hop_length must be at most n_fft": self.hop_length <= self.n_fft,
            "fmin must be below fmax": self.fmin < self.fmax,
            "fmax must be at most half of sample_rate": self.fmax <= self.sample_rate / 2,
            "n_mfcc must be at most n_mels": self.n_mfcc <= self.n_mels,
        }
        return _hold(self, rules)


class AugmentParams(Section):
    """Changes made to training windows only."""

    mix_share: Share
    speed: Annotated[float, Field(ge=0.0, lt=1.0)]
    gain_db: NonNegativeFloat
    quiet_share: Share
    quiet_db: NonNegativeFloat
    band_share: Share
    band: Annotated[float, Field(gt=0.0, le=0.5)]
    noise_share: Share
    noise_db: float
    response_db: NonNegativeFloat
    shift: bool


BACKBONES = Path("data/backbone")  # where DVC looks for model.start


class ModelParams(Section):
    """The network behind the front-end, and where its weights start from."""

    architecture: Literal["log_mel_cnn", "mfcc_cnn", "yamnet"]
    start: str
    layers: Annotated[int, Field(ge=1, le=14)]
    width: PositiveFloat
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]

    @property
    def pretrained(self) -> bool:
        """Whether its weights start from a file."""
        return self.start != "scratch"

    @model_validator(mode="after")
    def _start_fits(self) -> Self:
        inside = Path(self.start).parent == BACKBONES
        needs = f"architecture {self.architecture} starts from"
        wants = "the .tflite of YAMNet" if self.architecture == "yamnet" else "scratch"
        most = f"width must be at most 1 where a network is pretrained, found {self.width:g}"
        return _hold(
            self,
            {
                f"start must be scratch or a file in {BACKBONES}, which DVC watches; found "
                f"{shown(self.start)}": inside or not self.pretrained,
                f"{needs} {wants}, found {shown(self.start)} (docs/pretrained.md)": (
                    self.pretrained == (self.architecture == "yamnet")
                ),
                most: self.width <= 1 or not self.pretrained,
            },
        )


class TrainParams(Section):
    """How the network is fitted."""

    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    patience: PositiveInt
    head_draws: PositiveInt
    strategy: Literal["one_device", "mirrored", "multi_worker"]


class EvaluateParams(Section):
    """How runners are scored."""

    calibration_bins: PositiveInt
    negatives: Annotated[Path, Field(strict=False)]


class ListenerParams(Section):
    """From the scores of windows to events; the same on every platform."""

    hop_length: PositiveInt
    smoothing: PositiveInt
    hysteresis: Annotated[float, Field(ge=0.0, lt=0.5)]  # thresholds are 0.5 or more
    min_seconds: NonNegativeFloat
    refractory_seconds: NonNegativeFloat
    false_alarms_per_hour: PositiveFloat
    background: tuple[str, ...]
    quiet_margin_db: NonNegativeFloat | None


class ExportParams(Section):
    """Which variants ship, and where the front-end of iOS is: in the graph, or in Swift."""

    android: Literal["fp32", "int8"]
    ios: Literal["fp32", "fp16", "int8"]
    ios_front_end: Literal["in_model", "accelerate"]


class ParityParams(Section):
    """On what runtimes are compared."""

    clips: PositiveInt


class LatencyParams(Section):
    """How cost is measured."""

    providers: tuple[Literal["host", "arm64", "adb", "macos"], ...]
    classes: tuple[str, ...]
    repeats: PositiveInt


class BudgetParams(Section):
    """What a second of listening may cost on a phone class."""

    max_instructions: PositiveInt
    max_ms: PositiveFloat
    max_peak_bytes: PositiveInt


class GateParams(Section):
    """Limits. Each is one row of the verdict."""

    bound: Literal["low", "estimate"]
    min_accuracy: Share
    min_recall: Share
    max_drop: Share
    max_label_drop: Share
    max_calibration_error: Share
    max_miss_rate: Share
    robust: dict[str, Share]
    max_false_alarms_per_hour: PositiveFloat
    max_front_end_error: PositiveFloat
    max_fp32_error: PositiveFloat
    max_fp16_error: PositiveFloat
    max_flips: Share
    max_host_ratio: PositiveFloat
    max_device_ms: PositiveFloat
    max_file_bytes: PositiveInt
    budgets: dict[str, BudgetParams]


class PackageParams(Section):
    """Names in the packages."""

    name: Slug
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    android_group: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")]
    ios_module: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]*$")]
    licence: str


class PromoteParams(Section):
    """When a challenger may become champion."""

    max_drop: Share
    demonstrations: bool


class Params(Section):
    """params.yaml as a whole."""

    seed: NonNegativeInt
    data: DataParams
    groups: GroupsParams
    validation: ValidationParams
    audit: AuditParams
    split: SplitParams
    frontend: FrontEndParams
    augment: AugmentParams
    model: ModelParams
    train: TrainParams
    evaluate: EvaluateParams
    listener: ListenerParams
    export: ExportParams
    parity: ParityParams
    latency: LatencyParams
    gate: GateParams
    package: PackageParams
    promote: PromoteParams

    @property
    def chunk(self) -> FrontEndParams:
        """The front-end of a chunk, which is as long as the listener's hop."""
        return self.frontend.model_copy(update={"window_length": self.listener.hop_length})

    @model_validator(mode="after")
    def _a_window_is_whole_chunks(self) -> Self:
        window, hop = self.frontend.window_length, self.listener.hop_length
        whole = f"frontend.window_length must be a multiple of listener.hop_length, found {window}"
        longer = f"listener.hop_length must be at least frontend.n_fft, found {hop}"
        fits = {f"{whole} and {hop}": window % hop == 0, longer: hop >= self.frontend.n_fft}
        return _hold(self, fits)

    @model_validator(mode="after")
    def _pretrained_on_this_front_end(self) -> Self:
        preset = PRESETS.get(self.model.architecture, {})
        differs = sorted(key for key in preset if getattr(self.frontend, key) != preset[key])
        rule = (
            f"model.architecture {self.model.architecture} was trained on another front-end than "
        )
        found = f"this, whose {', '.join(differs)} differ; set frontend.preset to it"
        return _hold(self, {rule + found: not differs})

    @model_validator(mode="after")
    def _swift_can_transform(self) -> Self:
        n_fft = self.frontend.n_fft
        needs = "export.ios_front_end accelerate needs frontend.n_fft to be a power of two"
        fits = n_fft >= 16 and n_fft.bit_count() == 1
        in_model = self.export.ios_front_end == "in_model"
        plain = self.frontend.spectrum == "power" and self.frontend.floor_mode == "clip"
        of_power = "export.ios_front_end accelerate needs frontend.spectrum power, floor_mode clip"
        rules = {f"{needs}, 16 or more, found {n_fft}": fits, f"{of_power}; set in_model": plain}
        return _hold(self, {rule: holds or in_model for rule, holds in rules.items()})


_NAMED, _NAME = 20, 80  # wrong fields in a message, characters of a name
_REMOVED = {
    "evaluate.hop_length": "delete it: clips are scored at listener.hop_length",
    "evaluate.bootstrap": "delete it: intervals are computed, not drawn",
    "max_listening_instructions": "delete it: max_instructions is of a second of listening",
}


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    raises: ParamsError naming every wrong field, the rule it breaks and the value found
    """
    return load_yaml(path, Params)


def load_yaml(path: Path, kind: type[Content]) -> Content:
    """Read a YAML file that holds one `kind` of section.

    raises: ParamsError naming every wrong field, the rule it breaks and the value found
    """
    try:
        content = read_yaml(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: not found; run this in the project's folder") from error
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: not text in UTF-8; save it as such") from error
    except ValueError as error:
        raise ParamsError(str(error)) from error
    return _checked(content, kind, path)


def value_of(params: Params, name: str) -> float | str:
    """The value of a parameter by its name, as `frontend.hop_length`.

    raises: TypeError if it is none of a number and text
    """
    value: object = params
    for part in name.split("."):
        value = getattr(value, part)
    if isinstance(value, float | int | str):
        return value
    raise TypeError(name)


def with_values(params: Params, values: Mapping[str, object]) -> Params:
    """The parameters with other values. values: by name, as `frontend.hop_length`

    raises: ParamsError as load_params does
    """
    content = params.model_dump(mode="json")
    for name, value in values.items():
        section, _, key = name.partition(".")
        content[section][key] = value
    return _checked(content, Params, "params.yaml")


def _checked(content: object, kind: type[Content], where: object) -> Content:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        problems = [_problem(one) for one in error.errors()]
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise ParamsError(f"{where}: {'; '.join(problems[:_NAMED])}{more}") from error


def _problem(error: object) -> str:
    details = dict(error)  # type: ignore[call-overload]
    field = ".".join(str(part)[:_NAME] for part in details["loc"]) or "the file"
    removed = _REMOVED.get(field) or _REMOVED.get(field.rpartition(".")[2])
    if removed:
        return f"{field} is no longer a parameter; {removed}"
    if details["type"] == "extra_forbidden":
        return f"{field} is not a known parameter (a typo?)"
    if details["type"] == "missing":
        return f"{field} is missing"
    message = details["msg"].removeprefix("Value error, ")
    if not details["loc"] and details["type"] == "value_error":
        return str(message)  # a rule over several sections says itself what it found
    text = f"{field}: {message[0].lower()}{message[1:]}"
    if details["type"] == "value_error" and "found " in message:
        return text  # so does a rule over one section that names what it found
    return f"{text}, found {shown(details['input'])}"
