"""render: a recipe -> one WAV file a clip, each from a seed of its own."""

import wave
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketear.base.errors import DataError
from pocketear.base.progress import track
from pocketear.data.synthesis import backgrounds, voices
from pocketear.data.synthesis.recipe import Recipe, Sound
from pocketear.data.synthesis.scene import Scene, draw_scene, record, reverberate
from pocketear.data.synthesis.signals import Signal, mix
from pocketear.data.synthesis.voices import Voice

_CHUNK = 8  # clips given to a process at a time

SOUNDS: dict[Sound, Callable[[np.random.Generator, Voice, int, int], Signal]] = {
    "cry": voices.cry,
    "laugh": voices.laugh,
    "speech": voices.speech,
    "meow": voices.meow,
    "bark": voices.bark,
    "chirp": voices.chirp,
    "pink": backgrounds.pink,
    "hum": backgrounds.hum,
    "rain": backgrounds.rain,
    "ticks": backgrounds.ticks,
    "babble": backgrounds.babble,
    "silence": backgrounds.silence,
}


@dataclass(frozen=True)
class Rendered:
    """One clip to render: the `index`-th of its label, in scene `group`."""

    label: str
    index: int
    group: int

    @property
    def name(self) -> str:
        """Where its file lies below the folder of the set."""
        return f"{self.label}/{self.index:05d}.wav"

    @property
    def group_name(self) -> str:
        """Its group in the clip table."""
        return f"scene-{self.group:04d}"


def clips_of(recipe: Recipe) -> Iterator[Rendered]:
    """The clips of a recipe; those of one group have one voice and room, whatever their label."""
    for label, contents in recipe.labels.items():
        for index in range(contents.clips):
            yield Rendered(label, index, index // recipe.clips_per_group)


def scene_of(recipe: Recipe, group: int) -> Scene:
    """The scene that the clips of a group share."""
    return draw_scene(recipe, np.random.default_rng([recipe.seed, group]))


def render_clip(recipe: Recipe, clip: Rendered) -> Signal:
    """One clip, (sample,), full scale = 1; a function of its number and the recipe's ranges."""
    rng = np.random.default_rng([recipe.seed, zlib.crc32(clip.label.encode()), clip.index])
    scene = scene_of(recipe, clip.group)
    samples = round(recipe.seconds * recipe.sample_rate)
    foreground, behind = (
        SOUNDS[choice[rng.integers(len(choice))]](rng, scene.voice, samples, recipe.sample_rate)
        for choice in (recipe.labels[clip.label].sounds, recipe.noises)
    )
    mixed = mix(
        reverberate(foreground, scene.room), behind, rng.uniform(*recipe.snr_db), recipe.sample_rate
    )
    loud = mixed * 10 ** (rng.uniform(*recipe.level_dbfs) / 20)
    return record(loud, scene, rng.uniform(*recipe.overdrive), recipe.sample_rate)


def to_pcm(signal: Signal) -> NDArray[np.int16]:
    """16-bit samples; beyond full scale is cut off."""
    return np.rint(np.clip(signal, -1, 1) * 32767).astype("<i2")


def write_clip(recipe: Recipe, folder: Path, clip: Rendered) -> Path:
    """Render one clip as a 16-bit mono WAV file below `folder`."""
    path = folder / clip.name
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(recipe.sample_rate)
        file.writeframes(to_pcm(render_clip(recipe, clip)).tobytes())
    return path


def render_all(recipe: Recipe, folder: Path) -> list[tuple[Rendered, Path]]:
    """Render a whole set below `folder`, over all cores.

    raises: DataError if a process that renders is killed
    """
    clips = list(clips_of(recipe))
    for label in recipe.labels:
        (folder / label).mkdir(parents=True, exist_ok=True)
    try:
        with ProcessPoolExecutor() as pool:
            paths = pool.map(partial(write_clip, recipe, folder), clips, chunksize=_CHUNK)
            return list(zip(clips, track(paths, len(clips), "synthetic clips"), strict=True))
    except BrokenProcessPool as error:
        raise DataError(
            "rendering stopped, a process was killed (out of memory?); run it again"
        ) from error
