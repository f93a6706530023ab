"""The page of `dvc plots show`, with its scripts in it: DVC's own loads them from the network.

python tools/plots.py    writes dvc_plots/index.html
"""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import vl_convert

_PAGE = """<!DOCTYPE html>
<html>
<head>{{refresh_tag}}<title>Plots</title><meta charset="utf-8"><script>{scripts}</script></head>
<body>{{plot_divs}}</body>
</html>
"""  # in double braces: DVC's placeholders


def template(folder: Path) -> Path:
    """A page for `dvc plots --html-template` that needs no other file; made once, in `folder`."""
    path = folder / f"plots-{version('vl-convert-python')}.html"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        page = _PAGE.format(scripts=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
        path.write_text(page, encoding="utf-8")
    return path


def main() -> None:
    """Write the page of the project in the working folder."""
    page = template(Path(".pocketear")).absolute()
    command = [sys.executable, "-m", "dvc", "plots", "show", "--html-template", str(page)]
    sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
