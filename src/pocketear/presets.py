"""presets: values of a front-end that someone else trained on. DVC tracks them as code."""

# What a preset of the front-end sets. How long a window is and how far frames are apart stays the
# project's own: a pretrained network takes both as they come (docs/decisions/0018-pretrained.md).
PRESETS: dict[str, dict[str, str | int | float | bool]] = {
    # source: yamnet/params.py and features.py of github.com/tensorflow/models (research/audioset)
    "yamnet": {
        "kind": "log_mel", "sample_rate": 16000, "n_fft": 512, "win_length": 400,
        "n_mels": 64, "fmin": 125.0, "fmax": 7500.0, "mel_scale": "htk",
        "mel_norm": "none", "center": False, "spectrum": "magnitude", "log": "ln",
        "floor": 1.0e-3, "floor_mode": "add",
    },
}  # fmt: skip
