"""`python flows/pool.py` without a server that it may call; test_login.py has one that it may."""

import sys

import pytest

pytestmark = pytest.mark.slow  # it imports Prefect


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "PREFECT_API_URL names no server; `make serve` needs no such call"),
        ("http://127.0.0.1:9/api", "Prefect at http://127.0.0.1:9/api does not answer; .*"),
    ],
)
def test_no_server_is_one_clear_line(tmp_path, monkeypatch, address, reason):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from pool import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_API_URL", address)
    monkeypatch.setattr(sys, "argv", ["pool.py"])
    with (
        temporary_settings({PREFECT_API_URL: address or None}),
        pytest.raises(SystemExit, match=f"^error: {reason}$"),
    ):
        main()
