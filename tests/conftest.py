"""What several tests stand on: the real recordings, a project folder of one's own, real models."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from places import ESC10, ROOT, YAMNET

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# No deadline: a test says what is right, never how fast a busy machine is. Derandomised: a red
# run can be repeated.
settings.register_profile("pocketear", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("pocketear")

# Who asks for one of these is slow: each takes seconds to make, by converters, servers, emulators.
SLOW_FIXTURES = {"exported", "prefect_server", "tools"}

# Files that take minutes, the longest first. They begin first: one that began last would keep one
# worker busy while the other has nothing left to do. xdist's own order is by the number of tests.
LONGEST = (
    "tests/test_end_to_end.py",
    "tests/flows/test_login.py",
    "tests/flows/test_serve.py",
    "tests/flows/test_remote_worker.py",
    "tests/flows/test_alert.py",
    "tests/stages/test_train.py",
    "tests/data/test_workers.py",
    "tests/stages/test_export_coreml.py",
    "tests/flows/test_retrain.py",
    "tests/flows/test_crossvalidate.py",
    "tests/stages/test_latency.py",
    "tests/stages/test_evaluate.py",
    "tests/packaging/test_package.py",
)

# Files that share a session's fixture stay on one worker, where it is made once, not once a worker.
TOGETHER = {
    "a Prefect server": (
        "tests/flows/test_retrain.py",
        "tests/flows/test_crossvalidate.py",
        "tests/flows/test_notify.py",
    ),
    "exported": (
        "tests/stages/test_parity.py",
        "tests/stages/test_evaluate.py",
        "tests/stages/test_robustness.py",
    ),
    "an empty MLflow store": (
        "tests/experiments/test_elsewhere.py",
        "tests/experiments/test_fetch.py",
        "tests/experiments/test_promotion.py",
        "tests/experiments/test_queued.py",
        "tests/experiments/test_registry.py",
        "tests/experiments/test_runs.py",
        "tests/experiments/test_served_model.py",
        "tests/stages/test_register.py",
    ),
}


class FilesTogether(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """xdist's `--dist loadfile`, but for the files of TOGETHER."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return next((name for name, files in TOGETHER.items() if file in files), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesTogether | None:
    """None: xdist's own."""
    return FilesTogether(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)  # before pytest's own hook reads `-m "not slow"`
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: place(item.path.relative_to(ROOT).as_posix()))


def place(file: str) -> int:
    """The place of a test's file in the order of files that begin first."""
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that says what was skipped and why."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    if reasons:
        shown = "; ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        terminalreporter.write_line(f"skipped: {shown}")


@pytest.fixture(scope="session")
def esc10() -> Path:
    """The ESC-10 recordings beside the checkout; a test skips where they are not."""
    if not (ESC10 / "clips.csv").is_file():
        pytest.skip("no ../shared/data/esc10")
    return ESC10


@pytest.fixture(scope="session")
def yamnet() -> Path:
    """YAMNet's file beside the checkout; a test skips where it is not."""
    if not YAMNET.is_file():
        pytest.skip("no ../shared/models/yamnet.tflite")
    return YAMNET


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder with this project's params.yaml, as the working folder."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with features and every exported file of a model that was never trained."""
    from exported_project import make_exported

    return make_exported(tmp_path_factory.mktemp("exported"))
