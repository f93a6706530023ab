"""clip_scores: the scores of whole clips: the mean over each clip's windows, wherever they are."""

from collections.abc import Sequence

import numpy as np

from pocketear.base.arrays import Runner, Scores, Waveform
from pocketear.data.windows import cut_windows


def clip_scores(
    run: Runner, waveforms: Sequence[Waveform], window_length: int, hop_length: int
) -> Scores:
    """Score clips, all their windows in one call of `run`.

    window_length, hop_length: samples; the hop is the listener's
    returns: (clip, label), each row the mean of its windows' scores
    """
    batches = [cut_windows(waveform, window_length, hop_length) for waveform in waveforms]
    scores = run(np.concatenate(batches))  # (window, label)
    ends = np.cumsum([len(batch) for batch in batches])
    return np.stack([part.mean(axis=0) for part in np.split(scores, ends[:-1])])
