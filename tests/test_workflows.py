"""The workflows: valid, safe, and nothing in them that cannot be run here."""

import re
import subprocess

import pytest
import yaml

from places import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


JOBS = [
    pytest.param(job, id=f"{path.stem}.{name}")
    for path in WORKFLOWS
    for name, job in yaml.safe_load(path.read_text())["jobs"].items()
]


@pytest.mark.parametrize("job", JOBS)
def test_actions_are_pinned_rights_are_named_and_checkouts_keep_no_token(job):
    assert "permissions" in job
    assert "timeout-minutes" in job
    for step in job["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("job", JOBS)
def test_every_script_step_is_a_make_target_that_is_there(job):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for step in job["steps"]:
        if "run" in step:
            make, target = step["run"].split()
            assert make == "make"
            assert target in targets


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_right_is_given_to_all_jobs_and_runs_do_not_pile_up(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]


def test_only_the_main_branch_promotes():
    steps = yaml.safe_load((ROOT / ".github/workflows/retrain.yml").read_text())["jobs"]["retrain"]
    (asked,) = [
        step["env"]["PROMOTE"] for step in steps["steps"] if "PROMOTE" in step.get("env", {})
    ]
    assert asked == "${{ github.ref == 'refs/heads/main' && '1' || '' }}"


def test_ci_runs_every_test_on_every_change_in_jobs_side_by_side():
    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    on = ci[True]  # the key `on`
    assert on == {"push": {"branches": ["main"]}, "pull_request": None, "workflow_dispatch": None}
    ran = {name: [s["run"] for s in job["steps"] if "run" in s] for name, job in ci["jobs"].items()}
    assert ran["lint"] == ["make lint"]
    assert ran["run"] == ["make run"]
    parts = [part["tests"].split() for part in ci["jobs"]["test"]["strategy"]["matrix"]["include"]]
    named = {path for part in parts[:-1] for path in part}
    rest = parts[-1]
    assert rest[0] == "tests"
    assert set(rest[2::2]) == named, "what the last part leaves out is what the others run"
    assert all((ROOT / path).exists() for path in named)


@pytest.mark.parametrize(
    "target",
    [
        "setup",
        "lint",
        "check",
        "test",
        "some-tests",
        "run",
        "apple",
        "audit",
        "swift-test",
        "pull",
        "push",
        "release-files",
        "publish-release",
    ],
)
def test_every_target_of_a_workflow_can_be_made(target):
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_code_of_a_pull_request_gets_no_secret(path):
    """Each use of one is in a step that is not run for it, or an expression that is empty then."""
    safe = "github.event_name != 'pull_request'"
    workflow = yaml.safe_load(path.read_text())
    assert "secrets." not in str(workflow.get("env", ""))
    for job in workflow["jobs"].values():
        assert "secrets." not in str({key: job[key] for key in job if key != "steps"})
        for step in job["steps"]:
            used = re.findall(r"\$\{\{[^}]*secrets\.[^}]*\}\}", str(step))
            inside = all(expression.startswith(f"${{{{ {safe} && ") for expression in used)
            assert not used or inside or step.get("if") == f"${{{{ {safe} }}}}", step["name"]


def test_uv_is_of_one_version_wherever_it_is_installed():
    (version,) = re.findall(
        r'^uv-version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE
    )
    jobs = [job for path in WORKFLOWS for job in yaml.safe_load(path.read_text())["jobs"].values()]
    steps = [step for job in jobs for step in job["steps"]]
    pinned = [s["with"]["version"] for s in steps if "astral-sh/setup-uv@" in s.get("uses", "")]
    assert len(pinned) > 4
    assert set(pinned) == {version}
    done = subprocess.run(
        ["make", "--dry-run", "UV=.pocketear/uv/bin/uv", "--always-make", ".pocketear/uv/bin/uv"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert re.search(rf"pip install .* uv=={re.escape(version)}$", done.stdout, re.MULTILINE)
