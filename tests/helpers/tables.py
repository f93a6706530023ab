"""A clip table of one's own, for the stages that judge rows and never open a sound."""

from typing import Any

import pandas as pd

from pocketear.data.clips import COLUMNS, GIVEN

_GOOD: dict[str, Any] = {
    "start": 0.0, "end": 0.0, "error": "", "duration": 2.5, "sample_rate": 44100, "channels": 1,
    "subtype": "PCM_16", "container": "wav", "codec": "pcm", "bit_depth": 16,
    "level_dbfs": -20.0, "peak": 0.5, "clipped_share": 0.0,
    "dc_offset": 0.0, "silence_share": 0.0, "leading_silence": 0.0, "trailing_silence": 0.0,
    "noise_floor_dbfs": -60.0, "bandwidth": 22050.0, "bits_in_use": 16, "hum": 5.0,
}  # fmt: skip


def clip_table(labels: dict[str, int], folds: int = 0, clips_per_group: int = 1) -> pd.DataFrame:
    """`labels`: label -> number of clips; folds: that many official folds, round the groups."""
    rows = []
    for label, count in labels.items():
        for number in range(count):
            group = f"{label}-{number // clips_per_group}"
            rows.append(
                {
                    **_GOOD,
                    "path": f"data/{label}/{number:03d}.wav",
                    "sha256": f"{label}{number}",
                    "label": label,
                    "group": group,
                    "group_from": GIVEN,
                    "sound": f"{label}{number}",
                    "fold": number // clips_per_group % folds + 1 if folds else 0,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))
