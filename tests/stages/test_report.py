"""The report page, read as a browser reads it."""

import base64
import io
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from PIL import Image

from browser import open_tab
from exported_project import working_in
from places import ROOT
from pocketear.data.store import open_store
from pocketear.params import load_params
from pocketear.report.findings import Findings, read_findings
from pocketear.report.page import render
from reported_project import RATE, write_reported

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Text, attributes and links of a page; raises where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script") and data.strip():
            self.texts.append(" ".join(data.split()))

    def all(self, tag: str, name: str) -> list[str]:
        return [value for t, attrs in self.tags if t == tag and (value := attrs.get(name))]


def findings_of(root: Path) -> Findings:
    return read_findings(root / "reports", root / "data/features", load_params())


def page_of(root: Path) -> str:
    return render(findings_of(root))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("page")
    shutil.copy(ROOT / "params.yaml", folder)
    with working_in(folder):
        write_reported(folder)
        return Page(page_of(folder))


def test_it_needs_nothing_else(project: Path) -> None:
    write_reported(project)
    text = page_of(project)
    page = Page(text)
    sources = [value for tag, attrs in page.tags for key, value in attrs.items() if key == "src"]
    assert sources
    assert all(value and value.startswith("data:") for value in sources)
    assert all(link.startswith("#") for link in page.all("a", "href"))
    assert not page.all("link", "href")
    assert "url(" not in text.replace("url(#", "")
    assert "@import" not in text
    assert "http://" not in text


def test_links_within_the_page_lead_somewhere(page: Page) -> None:
    assert {link[1:] for link in page.all("a", "href")} == set(page.all("section", "id"))


def test_no_two_elements_share_an_id(page: Page) -> None:
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", str(page.tags)))
    used |= {link[1:] for link in (*page.all("use", "href"), *page.all("a", "href"))}
    assert used <= set(ids)


def test_the_verdict_comes_first(project: Path) -> None:
    write_reported(project, skill=0.0)
    page = Page(page_of(project))
    first = page.texts.index("Refused")
    assert first < page.texts.index("Gates")
    verdict = findings_of(project).verdict
    assert verdict
    assert verdict.reasons
    assert set(verdict.reasons) <= set(page.texts[first:])
    ticks = [text for text in page.texts if text in "✓✗"]
    assert ticks == sorted(ticks, reverse=True)  # failed gates on top
    assert len(ticks) == len(verdict.gates)


def test_an_accepted_model(project: Path) -> None:
    write_reported(project, skill=9.0)
    page = Page(page_of(project))
    assert "Accepted" in page.texts
    assert "✗" not in page.texts


@pytest.mark.slow
def test_the_same_findings_give_the_same_bytes_on_any_machine(project: Path) -> None:
    write_reported(project)
    here = page_of(project)
    (project / "matplotlibrc").write_text("axes.xmargin: 0.4\nxtick.labelsize: 30\n")
    subprocess.run(
        [
            sys.executable, "-m", "pocketear.stages.report", "--features", "data/features",
            "--reports", "reports", "--out", "page.html",
        ],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    )  # fmt: skip
    assert Path("page.html").read_text(encoding="utf-8") == here


def test_a_time_is_shown_as_kept_to_its_limit(page: Page) -> None:
    assert "within the limit" in page.texts
    assert any("it is in MLflow" in text for text in page.texts)


def test_a_pretrained_network_has_no_curve_of_one_epoch(project: Path) -> None:
    write_reported(project)
    assert any("marks the epoch" in text for text in Page(page_of(project)).texts)
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["frontend"]["preset"] = "yamnet"
    start = "data/backbone/yamnet.tflite"
    params["model"] |= {"architecture": "yamnet", "start": start, "layers": 5}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    texts = Page(page_of(project)).texts
    assert any("its first 5 layers as they are published" in text for text in texts)
    assert not any("marks the epoch" in text for text in texts)


def test_names_are_shown_and_never_run(project: Path) -> None:
    nasty = '<script>alert("1")</script>'
    labels = (nasty, 'it\'s & "quoted"', "плач 😀")
    paths = [f"data/{nasty}/{i}.wav" for i in range(36)]
    write_reported(project, labels=labels, paths=paths, skill=0.0)
    page = Page(page_of(project))
    assert [tag for tag, _ in page.tags].count("script") == 1
    for label in labels:
        assert label in page.texts
    assert any(text.startswith("data/<script>") for text in page.texts)
    assert nasty in page.all("div", "title") + page.all("td", "title")[0].split(" recognised as ")


def test_a_worst_clip_is_the_clip(project: Path) -> None:
    write_reported(project, skill=0.0)
    page = Page(page_of(project))
    store = open_store(Path("data/features"))
    clips = {name.removeprefix("play ") for name in page.all("button", "aria-label")}
    assert len(clips) == 6
    rows = {store.index["path"][i]: i for i in range(len(store))}
    played = [soundfile.read(io.BytesIO(_content(uri)))[0] for uri in page.all("audio", "src")]
    for name, samples in zip(page.all("button", "aria-label"), played, strict=True):
        row = rows[name.removeprefix("play ")]
        assert store.index["split"][row] == "test"
        np.testing.assert_array_equal(samples.astype(np.float32), store.waveform(row))
    picture = Image.open(io.BytesIO(_content(page.all("img", "src")[0])))
    assert picture.size == (len(store.features(0)), 64)


def test_the_worst_clip_is_the_one_most_surely_wrong(project: Path) -> None:
    write_reported(project, skill=0.5)
    page = Page(page_of(project))
    table = findings_of(project).predictions_of("litert_int8")
    assert table is not None
    scores = table[["score_cry", "score_laugh", "score_other"]]
    own = np.asarray([row[f"score_{row['label']}"] for _, row in table.iterrows()])
    margins = np.sort(own - np.asarray([s.drop(f"score_{label}").max() for (_, s), label in zip(
        scores.iterrows(), table["label"], strict=True)]))  # fmt: skip
    worst = table["path"][int(np.argmin(own - scores.max(axis=1)))]
    assert margins[0] < 0
    assert page.all("button", "aria-label")[0] == f"play {worst}"


def test_a_suspected_label_is_shown_with_its_own_sound(project: Path) -> None:
    write_reported(project)
    assert any(
        text.startswith("Nothing to judge labels by") for text in Page(page_of(project)).texts
    )
    store = open_store(Path("data/features"))
    table = store.index[["path", "sha256", "group", "label"]].assign(path="data/night.wav")
    store.index.assign(path="data/night.wav").to_parquet("data/features/index.parquet")
    for label in ("cry", "laugh", "other"):
        table[f"score_{label}"] = np.where(table["label"] == label, 0.9, 0.05).astype(np.float32)
    table.loc[5, ["score_cry", "score_laugh", "score_other"]] = [0.9, 0.05, 0.05]
    Path("reports/folds").mkdir()
    table[::-1].to_parquet("reports/folds/predictions.parquet")  # folds have an order of their own
    page = Page(page_of(project))
    assert "1 of 36 clips may have a wrong label" in " ".join(page.texts)
    place = page.all("audio", "src")[6]  # after the worst clips
    played = soundfile.read(io.BytesIO(_content(place)))[0]
    np.testing.assert_array_equal(played.astype(np.float32), store.waveform(5))


def test_clips_of_another_dataset_than_was_evaluated_are_not_shown(project: Path) -> None:
    write_reported(project)
    index = pd.read_parquet("data/features/index.parquet")
    index.assign(sha256=index["sha256"][::-1].to_numpy()).to_parquet("data/features/index.parquet")
    assert not Page(page_of(project)).all("audio", "src")


@pytest.mark.slow
def test_long_clips_do_not_blow_up_the_page(project: Path) -> None:
    write_reported(project, seconds=40.0, skill=0.0)
    text = page_of(project)
    assert len(text) < 3_000_000
    page = Page(text)
    samples, rate = soundfile.read(io.BytesIO(_content(page.all("audio", "src")[0])))
    assert (len(samples), rate) == (6 * RATE, RATE)
    assert any("the first 6 of 40 s" in text for text in page.texts)


@pytest.mark.parametrize(
    "absent",
    [
        ["verdict.json"],
        ["metrics.json", "evaluation"],
        ["parity.json", "latency.json"],
        ["training", "validation"],
        ["../data/features"],
        ["verdict.json", "metrics.json", "evaluation", "parity.json", "latency.json", "training",
         "validation", "../data/features"],
    ],
)  # fmt: skip
def test_what_is_absent_is_said(project: Path, absent: list[str]) -> None:
    write_reported(project)
    for name in absent:
        place = project / "reports" / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    page = Page(page_of(project))
    assert any("not made in this run" in text for text in page.texts)
    assert ("No verdict" in page.texts) == ("verdict.json" in absent)


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1200])
def test_in_a_real_browser(project: Path, width: int) -> None:
    write_reported(
        project, labels=tuple(f"a label of some length {i}" for i in range(12)), skill=0.0
    )
    Path("page.html").write_text(page_of(project), encoding="utf-8")
    with open_tab(Path("page.html").resolve().as_uri(), size=f"{max(500, width)},900") as tab:
        tab.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=800, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        root = "document.documentElement"
        assert tab.evaluate(f"{root}.scrollWidth === {root}.clientWidth")
        tab.wait_for("[...document.querySelectorAll('audio')].every((a) => a.duration === 1)")
        tab.evaluate("document.querySelector('.spectrogram').click()")
        tab.wait_for("document.querySelector('audio').currentTime > 0.2")
        shown = "parseFloat(document.querySelector('.spectrogram').style.getPropertyValue('--at'))"
        tab.wait_for(f"{shown} > 0.2")
        assert tab.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
        assert tab.problems == []


def _content(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])
