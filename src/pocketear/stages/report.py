"""report: all that the stages found -> one self-contained page.

Not judged here: it shows what verdict.json says. A part that was not made is said to be absent.
"""

from pathlib import Path

from pocketear.base import process
from pocketear.base.files import replacing
from pocketear.params import load_params
from pocketear.report.findings import Places, read_findings
from pocketear.report.page import render


def main(  # noqa: PLR0913  what a report tells of is what these are
    features: Path,
    metrics: Path,
    evaluation: Path,
    parity: Path,
    latency: Path,
    verdict: Path,
    training: Path,
    out: Path,
) -> None:
    """Write the report page."""
    validation = evaluation.with_name("validation")
    places = Places(features, metrics, evaluation, parity, latency, verdict, training, validation)
    page = render(read_findings(places, load_params()))
    with replacing(out) as fresh:
        fresh.write_text(page, encoding="utf-8")
    print(f"report: {out}")


if __name__ == "__main__":
    process.run(main)
