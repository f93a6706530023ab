"""report: all that the stages found -> one self-contained page.

Not judged here: it shows what verdict.json says. A part that was not made is said to be absent.
"""

from pathlib import Path

from pocketear.base import process
from pocketear.base.files import replacing
from pocketear.params import load_params
from pocketear.report.findings import read_findings
from pocketear.report.page import render


def main(features: Path, reports: Path, out: Path) -> None:
    """Write the report page."""
    page = render(read_findings(reports, features, load_params()))
    with replacing(out) as fresh:
        fresh.write_text(page, encoding="utf-8")
    print(f"report: {out}")


if __name__ == "__main__":
    process.run(main)
