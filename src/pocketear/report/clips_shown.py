"""clips_shown: a clip of the store -> what a page can show and play, as data URIs."""

import base64
import io

import numpy as np

from pocketear.base.arrays import Features, Waveform

_WIDEST = 800  # px of a spectrogram; longer clips are thinned


def spectrogram(features: Features) -> str:
    """Features (frame, coefficient) as a PNG, low at the bottom, the loudest the brightest."""
    import matplotlib
    from PIL import Image

    every = -(-len(features) // _WIDEST)
    low, high = np.percentile(features, [5, 99.8])
    scaled = np.clip((features[::every] - low) / max(float(high - low), 1e-6), 0, 1)
    image = Image.fromarray(np.rint(255 * scaled).astype(np.uint8).T[::-1])
    colours = matplotlib.colormaps["magma"](np.arange(256), bytes=True)[:, :3]
    image.putpalette(colours.tobytes())
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return _uri("image/png", content)


def sound(waveform: Waveform, sample_rate: int) -> str:
    """A waveform as 16-bit FLAC: nothing is lost, and every browser plays it."""
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, waveform, sample_rate, format="FLAC", subtype="PCM_16")
    return _uri("audio/flac", content)


def _uri(kind: str, content: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
