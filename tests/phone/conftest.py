"""The tools that count, a small network, and real .tflite files that must be refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from places import ROOT
from pocketear.phone import setup
from pocketear.phone.known_networks import Layer, convolutional, ds_cnn, separable

CACHE = ROOT / ".pocketear" / "phone"


@pytest.fixture(scope="session")
def tools() -> setup.Tools:
    """What counts, built once in the project's own cache; skips where it cannot be."""
    reason = setup.absent()
    if reason:
        pytest.skip(reason)
    return setup.prepare(CACHE)


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The DS-CNN of MLPerf Tiny: 49 x 10 in, 12 scores out."""
    path = tmp_path_factory.mktemp("reference") / "ds_cnn.tflite"
    path.write_bytes(ds_cnn())
    return path


@pytest.fixture(scope="session")
def bigger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same kind of network, about four times the work."""
    layers = (Layer("conv", (3, 3), (2, 2), 64), *separable(128), *separable(128))
    path = tmp_path_factory.mktemp("bigger") / "bigger.tflite"
    path.write_bytes(convolutional((96, 64, 1), layers, 12))
    return path


Change = Callable[[Any, Any], None]


@pytest.fixture
def changed(tmp_path: Path, reference: Path) -> Callable[[Change], Path]:
    """A copy of the reference with a change made to its flatbuffer: `change(model, schema)`."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def make(change: Change) -> Path:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(reference.read_bytes(), 0))
        change(model, schema)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        path = tmp_path / "changed.tflite"
        path.write_bytes(bytes(builder.Output()))
        return path

    return make
