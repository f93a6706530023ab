"""The plots of a run on a machine without network."""

import subprocess
import sys
from pathlib import Path

import pytest

from browser import open_tab
from places import ROOT

pytestmark = pytest.mark.slow
PLOTS = "plots: [{history.csv: {x: epoch, y: [loss, val_loss], title: Loss by epoch}}]\n"


def test_every_plot_is_drawn_without_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["dvc", "init", "-q", "--no-scm"], check=True)
    Path("history.csv").write_text("epoch,loss,val_loss\n1,2.0,2.1\n2,1.0,1.4\n")
    Path("dvc.yaml").write_text(PLOTS)
    subprocess.run([sys.executable, str(ROOT / "tools/plots.py")], check=True)
    page = (tmp_path / "dvc_plots/index.html").as_uri()
    with open_tab(page, "--host-resolver-rules=MAP * ~NOTFOUND") as tab:
        tab.wait_for("document.querySelectorAll('canvas, svg').length > 0")
    assert tab.problems == []
