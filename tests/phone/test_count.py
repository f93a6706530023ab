"""Counts are exact, repeat and add up; what is computed is what this machine computes."""

from pathlib import Path

import numpy as np
import pytest

from pocketear.base.errors import PhoneError
from pocketear.phone.count import RUNTIME, Counts, count, probe_windows, steady
from pocketear.phone.graph import read_graph
from pocketear.phone.harness import Job, count_run
from pocketear.phone.host import HostModel
from pocketear.phone.known_networks import yamnet
from pocketear.phone.setup import Tools

# Multiply-adds of the DS-CNN by hand: a 10x4 convolution to 25x5x64, four times a 3x3 depthwise and
# a 1x1 convolution of the same size, and a dense layer.
MULTIPLY_ADDS = 25 * 5 * 64 * (40 + 4 * (9 + 64)) + 64 * 12


@pytest.fixture(scope="module")
def counts(tools: Tools, reference: Path) -> Counts:
    return count(reference, "a76", tools=tools)


def test_four_multiply_adds_are_done_an_instruction(counts: Counts) -> None:
    lanes = 4 * counts.by_kind["multiply_add"]
    assert MULTIPLY_ADDS <= lanes <= 1.1 * MULTIPLY_ADDS  # tiles are padded a little


def test_the_ops_and_the_runtime_are_the_whole(counts: Counts, reference: Path) -> None:
    kinds = [op.kind for op in counts.by_op]
    assert kinds[-1] == RUNTIME
    assert {op.kind for op in read_graph(reference).ops} == set(kinds[:-1])
    assert sum(op.instructions for op in counts.by_op) == counts.instructions
    assert all(op.instructions > 0 for op in counts.by_op)
    assert counts.by_op[-1].instructions < 0.01 * counts.instructions


def test_like_layers_cost_alike(counts: Counts) -> None:
    by_name = {op.name: op.instructions for op in counts.by_op}
    assert by_name["conv_2"] == by_name["conv_4"] == by_name["conv_6"] == by_name["conv_8"]


def test_another_process_counts_the_same(tools: Tools, reference: Path, counts: Counts) -> None:
    windows = probe_windows(read_graph(reference).length)
    again = count_run(tools, Job(reference, windows[::-1], "a76"))
    assert {sum(region[-1]) for region in again.regions} == {counts.instructions}


def test_a_large_network_costs_the_same_on_every_window(tools: Tools, tmp_path: Path) -> None:
    path = tmp_path / "yamnet.tflite"
    path.write_bytes(yamnet())
    run = count_run(tools, Job(path, probe_windows(read_graph(path).length), "a76"))
    assert sum(steady(path, run)) > 20_000_000


def test_another_cpu_of_the_same_kind_counts_the_same(tools: Tools, reference: Path) -> None:
    windows = probe_windows(read_graph(reference).length)
    runs = [
        count_run(tools, Job(reference, windows, "a76", cpu=cpu))
        for cpu in ("cortex-a76", "neoverse-n1")
    ]
    assert steady(reference, runs[0]) == steady(reference, runs[1])


def test_outputs_are_those_of_this_machine(counts: Counts, reference: Path) -> None:
    windows = probe_windows(read_graph(reference).length)
    expected = HostModel("reference", reference.read_bytes()).run(windows)
    np.testing.assert_allclose(counts.outputs, expected, atol=1e-6, rtol=0)


def test_an_in_order_core_runs_other_kernels(tools: Tools, reference: Path, counts: Counts) -> None:
    little = count(reference, "a53", tools=tools)
    assert little.instructions > 1.2 * counts.instructions
    np.testing.assert_allclose(little.outputs, counts.outputs, atol=1e-6, rtol=0)


def test_memory_holds_at_least_the_packed_weights(counts: Counts, reference: Path) -> None:
    assert reference.stat().st_size < counts.peak_bytes < 10 * reference.stat().st_size


def test_an_unknown_phone_class_is_named(reference: Path) -> None:
    with pytest.raises(PhoneError, match="m1: no such phone class; there are a53, a76, x1"):
        count(reference, "m1")
