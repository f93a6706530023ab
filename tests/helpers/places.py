"""Where the project and the recordings beside it lie."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
ESC10 = ROOT.parent / "shared" / "data" / "esc10"
VECTORS = ROOT / "mobile" / "vectors"
YAMNET = ROOT.parent / "shared" / "models" / "yamnet.tflite"
