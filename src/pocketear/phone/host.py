"""host: what listening costs on this machine's LiteRT, one thread, as a share of YAMNet.

Milliseconds of a busy machine mean little: what is timed is processor time, without the pauses
that other processes cause, both networks are run in turn, so that what slows one slows the other,
and the ratio is what is reported. It is taken of a second of listening, overlapping windows and
front-end included, so that neither a longer window nor a shorter hop hides in it.
"""

import statistics
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import WindowBatch
from pocketear.base.errors import PhoneError
from pocketear.phone.graph import read_graph
from pocketear.phone.known_networks import YAMNET_HOP_S, yamnet

REFERENCE = f"YAMNet's network, fp32, without its front-end, every {YAMNET_HOP_S} s"
_SHORTEST_S = 0.002  # a timing covers as many runs as it takes to be longer than this


class HostModel:
    """A .tflite in the LiteRT of this machine, on one thread."""

    def __init__(self, name: str, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise PhoneError(f"{name}: LiteRT refuses it: {reason}") from error
        self._input, *states = self._interpreter.get_input_details()
        for state in states:
            self._interpreter.set_tensor(state["index"], np.zeros(state["shape"], np.float32))
        self._output = self._interpreter.get_output_details()[0]

    def run(self, windows: WindowBatch) -> NDArray[np.float32]:
        """(window, sample) -> (window, output)."""
        rows = []
        for window in windows:
            self.load(window)
            self._interpreter.invoke()
            rows.append(self._interpreter.get_tensor(self._output["index"]).ravel())
        return np.asarray(rows, np.float32)

    def load(self, window: NDArray[np.float32]) -> None:
        """Put one window into the input tensor."""
        shaped = window.reshape(self._input["shape"]).astype(np.float32)
        self._interpreter.set_tensor(self._input["index"], shaped)

    def seconds(self, times: int) -> float:
        """Of processor time in one run, averaged over `times` of them."""
        started = time.thread_time()
        for _ in range(times):
            self._interpreter.invoke()
        return (time.thread_time() - started) / times


def host_cost(model: Path, repeats: int, hop_seconds: float) -> dict[str, float | str]:
    """The ratio of a listening second's time to the reference's, over `repeats` pairs of timings.

    hop_seconds: from one window of the listener to the next
    raises: PhoneError if LiteRT refuses the file
    """
    length = read_graph(model).length
    candidate = HostModel(str(model), model.read_bytes())
    reference = HostModel("reference", yamnet())
    candidate.load(np.zeros(length, np.float32) + 0.01)
    times = [_runs_for(network) for network in (candidate, reference)]
    pairs = [(candidate.seconds(times[0]), reference.seconds(times[1])) for _ in range(repeats)]
    ratios = [own / hop_seconds / (other / YAMNET_HOP_S) for own, other in pairs]
    return {
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "inference_ms_median": statistics.median(own for own, _ in pairs) * 1e3,
        "reference": REFERENCE,
        "reference_ms_median": statistics.median(other for _, other in pairs) * 1e3,
    }


def _runs_for(network: HostModel) -> int:
    network.seconds(2)
    return max(1, round(_SHORTEST_S / network.seconds(3)))
