"""suggest: the clips that `validate` accepted -> settings that fit them, shown or written."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from pocketear.base.errors import DataError
from pocketear.base.files import replacing
from pocketear.base.tables import plain_table
from pocketear.data.suggestions import Suggestion, suggest
from pocketear.params import Params, value_of

CLIPS = Path("data/valid/clips.parquet")
PARAMS = Path("params.yaml")
_NO_BREAKS = 1 << 16  # characters of a line


def run(params: Params, *, write: bool) -> None:
    """Print what of params.yaml should be otherwise for the clips, and why; change it if asked."""
    if not CLIPS.exists():
        raise DataError(f"{CLIPS}: not found; `dvc repro validate` makes it")
    found = suggest(pd.read_parquet(CLIPS), params)
    if not found:
        print("nothing to suggest: window, hop and sample rate fit the clips")
        return
    print(text(found, params))
    if write:
        write_values(PARAMS, {name: v for one in found for name, v in one.values.items()})
        print(f"\nwritten to {PARAMS}; `git diff {PARAMS}` shows it, `dvc repro` runs with it")
    else:
        print("\n`pocketear suggest --write` puts them into params.yaml")


def write_values(path: Path, values: Mapping[str, float]) -> None:
    """Put values into params.yaml, by name as `frontend.fmax`; its comments and quotes stay."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, _NO_BREAKS
    content = yaml.load(path.read_text(encoding="utf-8"))
    for name, value in values.items():
        section, _, key = name.partition(".")
        content[section][key] = value
    with replacing(path) as fresh:
        yaml.dump(content, fresh)


def text(found: list[Suggestion], params: Params) -> str:
    """For a terminal: each reason, and below it the parameters that it changes."""
    blocks = []
    for one in found:
        rows = [
            (name, f"{float(value_of(params, name)):g}", f"{value:g}")
            for name, value in one.values.items()
        ]
        blocks.append(f"{one.why}\n\n{plain_table(('parameter', 'now', 'suggested'), rows)}")
    return "\n\n".join(blocks)
