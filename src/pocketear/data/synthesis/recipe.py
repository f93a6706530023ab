"""recipe: a YAML file that says which sounds are wanted -> one typed object."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from pocketear.params import Section, Slug, load_yaml

Sound = Literal[
    "cry", "laugh", "speech", "meow", "bark", "chirp",
    "pink", "hum", "rain", "ticks", "babble", "silence",
]  # fmt: skip


def _ordered(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise ValueError("the first of a range must not be above the second")
    return limits


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
PositiveRange = Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_ordered)]


class Contents(Section):
    """One label: how many clips, and what may sound in them."""

    clips: PositiveInt
    sounds: Annotated[tuple[Sound, ...], Field(min_length=1)]


class Recipe(Section):
    """A synthetic set. Units and meaning of each key stand in data/recipes/cry_laugh.yaml."""

    seed: NonNegativeInt
    sample_rate: Annotated[int, Field(ge=8000, le=48000)]
    seconds: Annotated[float, Field(ge=0.5, le=60)]
    clips_per_group: PositiveInt
    labels: Annotated[dict[Slug, Contents], Field(min_length=1)]
    noises: Annotated[tuple[Sound, ...], Field(min_length=1)]
    snr_db: Range
    level_dbfs: Range
    pitch_hz: PositiveRange
    tract: PositiveRange
    hoarseness: Range
    reverberation_seconds: PositiveRange
    microphone_low_hz: PositiveRange
    microphone_high_hz: PositiveRange
    agc: Range
    overdrive: PositiveRange

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.level_dbfs[1] > 0:
            raise ValueError("level_dbfs: full scale is 0, nothing can be louder")
        return self


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    raises: ParamsError naming every wrong field, the rule it breaks and the value found
    """
    return load_yaml(path, Recipe)
