"""data_docs: Great Expectations' pages, readable without a network and asking nobody for anything.

As they are made, their look, their icons and the whole list of the first page come from eight
other sites, by scripts. The time of the run and random identifiers in them go too: the same clips
give the same pages.
"""

import html
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

_STYLE = Path(__file__).with_name("data_docs.css")
_FROM_ELSEWHERE = re.compile(
    r"<script\b.*?</script>|<style\b.*?</style>|<footer\b.*?</footer>|<link\b[^>]*>|<img\b[^>]*>",
    re.DOTALL,
)
_ROW_WITH_TIME = re.compile(
    r"<tr>(?:(?!</tr>).)*?>(?:Run Time|ge_load_time)<(?:(?!</tr>).)*?</tr>", re.DOTALL
)
_NO_TIME = " / 1980-01-01T00:00:00Z"  # what validate gives Great Expectations as the time
_RANDOM = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def make_offline(docs: Path, statuses: Mapping[str, bool]) -> None:
    """Put a small style sheet into every page in place of scripts, and list them in index.html.

    statuses: suite -> whether all of it held
    """
    style = f"<style>\n{_STYLE.read_text(encoding='utf-8')}</style>\n</head>"
    for page in docs.rglob("*.html"):
        text = _timeless(_FROM_ELSEWHERE.sub("", page.read_text(encoding="utf-8")))
        page.write_text(text.replace("</head>", style, 1), encoding="utf-8")
    shutil.rmtree(docs / "static", ignore_errors=True)
    rows = "\n".join(_row(docs, name, statuses[name]) for name in sorted(statuses))
    index = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n<title>Data Docs</title>'
        f'\n{style}<body><div class="index"><h1>Data Docs</h1>\n<table>\n{rows}\n</table></div>'
        "</body></html>\n"
    )
    (docs / "index.html").write_text(index, encoding="utf-8")


def _timeless(text: str) -> str:
    """A page without rows that hold a time, its random identifiers numbered."""
    numbers: dict[str, str] = {}
    text = _ROW_WITH_TIME.sub("", text).replace(_NO_TIME, "")
    return _RANDOM.sub(lambda found: numbers.setdefault(found[0], str(len(numbers))), text)


def _row(docs: Path, suite: str, success: bool) -> str:
    """A suite: what came of it, and what it expects."""
    (page,) = docs.glob(f"validations/{suite}/**/*.html")
    icon, word = ("fa-check-circle", "Succeeded") if success else ("fa-times", "Failed")
    result = f'<a href="{page.relative_to(docs).as_posix()}">{html.escape(suite)}</a>'
    return (
        f'<tr><td><i class="{icon}"></i>{word}</td><td>{result}</td>'
        f'<td><a href="expectations/{suite}.html">what is expected</a></td></tr>'
    )
