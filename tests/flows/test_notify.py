"""One event for each change, and a clear line where no server answers."""

from pathlib import Path

import pytest

from .conftest import commit


def events():
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        wanted = {"filter": {"event": {"name": ["dataset.changed"]}}, "limit": 50}
        return client._client.post("/events/filter", json=wanted).json()["events"]


def test_a_change_is_announced_once_however_many_files_it_touched(pipeline, prefect_server):
    from notify import notify

    digest = notify(pipeline)
    assert digest
    assert notify(pipeline) is None
    Path("step.py").write_text("# code is not data")
    commit(pipeline)
    assert notify(pipeline) is None

    for name in ("one", "two", "three"):
        Path(f"data/{name}.wav.dvc").write_text(f"outs: [{{md5: {name}, path: {name}.wav}}]")
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("seed: ", "seed: 1"))
    assert notify(pipeline) is None, "not committed: not yet announced"
    commit(pipeline)
    changed = notify(pipeline)
    assert changed not in (None, digest)
    assert notify(pipeline) is None


def test_no_server_answers(pipeline):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from notify import notify
    from stage_runs import PipelineError

    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(PipelineError, match="does not answer; `make serve` starts it"),
    ):
        notify(pipeline)
    assert not Path(".pocketear/notified").exists(), "it will be announced when a server answers"


def test_outside_of_a_repository(tmp_path):
    from notify import notify
    from stage_runs import PipelineError

    with pytest.raises(PipelineError, match="not a git repository"):
        notify(tmp_path)
