"""The containers: open on loopback only, without a secret, of the versions that uv.lock has."""

import json
import re
import tomllib

import pytest
import yaml

from places import ROOT

SERVICES = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]


def test_every_port_is_open_on_loopback_only():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in ports)


def test_secrets_come_from_a_file_that_git_ignores():
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|ACCESS_KEY|AUTH_STRING", name):
                assert value.startswith("${"), name
    example = (ROOT / "deploy/.env.example").read_text()
    named = set(re.findall(r"\$\{(\w+)", (ROOT / "deploy/compose.yaml").read_text()))
    given = dict(re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE))
    assert named == set(given)
    assert {name for name, value in given.items() if value} == {"WORKER_UID", "WORKER_GID"}
    assert "/deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", ["mlflow", "prefect"])
def test_a_server_is_of_the_version_that_its_clients_are(name):
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    (version,) = [package["version"] for package in locked if package["name"] == name]
    assert re.search(rf":v?{re.escape(version)}-", SERVICES[name]["image"])


def test_the_image_has_the_uv_of_the_project():
    uv = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pocketear"]["uv-version"]
    assert f"ghcr.io/astral-sh/uv:{uv} " in (ROOT / "deploy/Dockerfile").read_text()


def test_a_run_on_kubernetes_chooses_nothing():
    template = json.loads((ROOT / "deploy/kubernetes-pool.json").read_text())
    assert template["variables"]["properties"] == {}
    assert "{{" not in json.dumps(template["job_configuration"])
