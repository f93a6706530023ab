"""Settings that fit the clips, before anything is trained."""

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from places import ROOT
from pocketear.data.suggestions import suggest, window_of
from pocketear.frontend.layer import n_frames
from pocketear.params import Params, load_params


def clips(**labels: tuple[float, float]) -> pd.DataFrame:
    """Three clips of each label, by its duration in seconds and bandwidth in Hz."""
    rows = [(name, *figures) for name, figures in labels.items() for _ in range(3)]
    return pd.DataFrame(rows, columns=["label", "duration", "bandwidth"])


def given_params(**frontend: object) -> Params:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["frontend"] |= frontend
    return Params.model_validate(content)


def test_nothing_is_suggested_where_all_fits(project: object) -> None:
    assert suggest(clips(cry=(2.5, 8000), laugh=(1.6, 7900)), load_params()) == []


def test_scenes_of_five_seconds_get_a_window_of_five_chunks() -> None:
    (found,) = suggest(clips(rain=(5, 20_000), dog=(5, 22_050)), given_params())
    assert found.values == {"frontend.window_length": 80_000, "listener.hop_length": 16_000}
    assert "median clip of dog is 5 s, the window 1.5 s" in found.why


def test_telephone_words_get_the_telephones_band_and_a_window_of_their_length() -> None:
    rate, window = suggest(clips(one=(0.42, 4000), nine=(0.5, 4000)), given_params())
    assert rate.values == {
        "frontend.sample_rate": 8000, "frontend.fmax": 3800, "frontend.n_fft": 256,
        "frontend.win_length": 200, "frontend.hop_length": 160,
    }  # fmt: skip
    assert window.values == {"frontend.window_length": 3360, "listener.hop_length": 3360}
    assert "median clip of one is 0.42 s, the window 1.5 s" in window.why


def test_one_narrow_label_among_wide_ones_takes_the_others_with_it() -> None:
    rate, *_ = suggest(clips(cry=(2, 3900), rain=(2, 20_000)), given_params())
    assert rate.values["frontend.sample_rate"] == 8000 and "clips of cry hold nothing" in rate.why


def test_a_pretrained_front_end_keeps_the_band_that_it_knows() -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["frontend"]["preset"] = content["model"]["architecture"] = "yamnet"
    content["model"]["start"] = "data/backbone/yamnet.tflite"
    assert suggest(clips(cry=(2, 3900), rain=(2, 3900)), Params.model_validate(content)) == []


def test_a_window_that_fits_keeps_its_seconds_at_another_rate() -> None:
    _, window = suggest(clips(cry=(2, 3900)), given_params())
    assert window.values == {"frontend.window_length": 12_000, "listener.hop_length": 4000}


@settings(max_examples=60)
@given(
    seconds=st.floats(0.01, 60), hop=st.integers(16, 1024),
    rate=st.sampled_from([8000, 16_000, 44_100]),
)  # fmt: skip
def test_every_suggested_window_is_one_that_params_and_networks_take(
    seconds: float, hop: int, rate: int
) -> None:
    frontend = {"n_fft": 1024, "hop_length": hop, "sample_rate": rate, "fmax": 3800.0}
    p = given_params(**frontend).frontend
    found = window_of(seconds, p)
    window, chunk = found["frontend.window_length"], found["listener.hop_length"]
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["frontend"] |= {**frontend, "window_length": window}
    content["listener"]["hop_length"] = chunk
    made = Params.model_validate(content)
    assert n_frames(made.frontend.model_copy(update={"window_length": chunk})) >= 16
    assert window <= max(seconds * rate, chunk)
    if seconds * rate > 4 * chunk:
        assert window == pytest.approx(seconds * rate, rel=0.25)
