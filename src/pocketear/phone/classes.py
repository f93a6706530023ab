"""classes: classes.yaml -> cores, phone classes, published latencies."""

from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from pocketear.base.errors import PhoneError
from pocketear.params import Section, load_yaml

TABLE = Path(__file__).with_name("classes.yaml")


class Core(Section):
    """XNNPACK chooses kernels by `emulated_as` (what a core can do) and `part` (which it is)."""

    title: str
    emulated_as: str
    implementer: Annotated[int, Field(ge=0, le=0xFF)]
    part: Annotated[int, Field(ge=0, le=0xFFF)]


class PhoneClass(Section):
    """One core at one clock. factor: its cycles over those of the core of `calibrated_on`.

    milliamperes: what a busy core takes from the battery beyond an idle one; None: not published
    """

    title: str
    core: str
    clock_mhz: PositiveInt
    cache_kib: PositiveInt
    calibrated_on: str
    factor: PositiveFloat
    factor_low: PositiveFloat
    factor_high: PositiveFloat
    source: str
    milliamperes: PositiveFloat | None = None
    milliamperes_source: str = ""


class Published(Section):
    """Single-thread fp32 milliseconds of known networks on one phone."""

    title: str
    core: str
    clock_mhz: PositiveInt
    cache_kib: PositiveInt
    milliseconds: dict[str, PositiveFloat]
    source: str


class Table(Section):
    """classes.yaml as a whole."""

    cores: dict[str, Core]
    classes: dict[str, PhoneClass]
    published: dict[str, Published]


@cache
def phone_table() -> Table:
    """Everything in classes.yaml."""
    return load_yaml(TABLE, Table)


def phone_class(name: str) -> PhoneClass:
    """The phone class called `name`.

    raises: PhoneError naming the classes there are
    """
    classes = phone_table().classes
    if name not in classes:
        raise PhoneError(f"{name}: no such phone class; there are {', '.join(classes)}")
    return classes[name]
