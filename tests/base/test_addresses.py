"""No password and no token of an address is ever shown, however it is written or misread."""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pocketear.base.addresses import names_secret, redacted
from pocketear.base.errors import TrackingError
from pocketear.experiments.client import address, connect

# Marked, so that none can be found by accident in what a message says itself.
SIGNS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("@:/?#%&=; "))
SECRETS = st.builds("{1}Zq7{0}Xw9{2}".format, SIGNS, SIGNS, SIGNS)
SCHEMES = st.sampled_from(
    ["http://", "https://", "postgresql+psycopg2://", "postgres://", "htp://", "http:/", "http:",
     "://", "", "mysql://", "sqlite:///", "HTTP://", "databricks://", "//"]
)  # fmt: skip
HOSTS = st.sampled_from(["host", "host:5000", "host/db", "[::1]:5000/x", "", "host:port", "/db"])
WAYS: list[Callable[[str], str]] = [str, quote, lambda text: quote(text, safe="")]
WRITTEN = st.sampled_from(WAYS)


@st.composite
def addresses(draw: st.DrawFn) -> tuple[str, list[str]]:
    """An address, and each secret in it as it is and as it is written."""
    password, token = draw(SECRETS), draw(SECRETS)
    write, user = draw(WRITTEN), draw(st.sampled_from(["user", "", "us er"]))
    key = draw(st.sampled_from(["password", "token", "sslpassword"]))
    login = draw(st.sampled_from([f"{user}:{write(password)}@", f"{write(password)}@", ""]))
    query = draw(st.sampled_from([f"?{key}={write(token)}", f"?a=b&{key}={write(token)}#x", ""]))
    there = [password] * bool(login) + [token] * bool(query)
    secrets = [form for one in there for form in (one, write(one))]
    return draw(SCHEMES) + login + draw(HOSTS) + query, secrets


def leaks(text: str, secrets: list[str]) -> list[str]:
    """What of the secrets, or of their marks, a text repeats."""
    return [one for one in (*secrets, "Zq7", "Xw9") if one.casefold() in text.casefold()]


@given(addresses())
@example(("http://user:p@Zq7/x@host/db", []))
@example(("http://host?token=aZq7@Xw9", []))
@example(("http://host/x&token=Zq7", []))
@example(("http://host/x%3Ftoken=Zq7", []))
@example(("user:Zq7", []))
def test_what_is_shown_of_an_address_holds_no_secret(made: tuple[str, list[str]]) -> None:
    written, secrets = made
    assert not leaks(redacted(written), secrets)
    assert redacted(written).isprintable()


@given(addresses())
def test_an_address_that_is_refused_is_not_repeated(made: tuple[str, list[str]]) -> None:
    written, secrets = made
    assume(written and "\0" not in written)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "MLFLOW_TRACKING_URI", written)
        try:
            assert address() == written
        except TrackingError as error:
            assert not leaks(str(error), secrets)


@given(addresses(), st.sampled_from(['no host "{}"', "{}", "x{}x"]))
def test_a_librarys_error_that_repeats_a_secret_is_found_out(
    made: tuple[str, list[str]], message: str
) -> None:
    written, secrets = made
    for secret in secrets:
        assert names_secret(message.format(secret), written)
    assert not names_secret("", written)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("http://mlflow.example.org:5000/x", "http://mlflow.example.org:5000/x"),
        ("sqlite:////home/a b/größer/mlflow.db", "sqlite:////home/a b/größer/mlflow.db"),
        ("localhost:5000", "localhost:5000"),
        ("postgresql+psycopg2://me:secret@host:5432/db", "postgresql+psycopg2://…@host:5432/db"),
        ("https://host/api?token=x", "https://host/api?…"),
        ("tcp://10.0.0.1:8786", "tcp://10.0.0.1:8786"),
    ],
)
def test_what_helps_to_find_a_mistake_is_shown(written: str, shown: str) -> None:
    assert redacted(written) == shown


REAL = [  # each is misread in its own way by urllib, requests or SQLAlchemy
    "http://user:Zq7secret@127.0.0.1:1",
    "http://user:Zq7@secret@127.0.0.1:1",
    "http://user:Zq7/secret@127.0.0.1:1",
    "http://127.0.0.1:1/?token=Zq7secret",
    "http://user:Zq7[secret@127.0.0.1:1",
    "postgresql+psycopg2://user:Zq7secret@127.0.0.1:1/db",
    "postgresql+psycopg2://user:half@Zq7secret@127.0.0.1:1/db",
    "postgresql+psycopg2://user:half%40Zq7secret@127.0.0.1:1/db?password=Zq7again",
    "postgresql+psycopg2://user:secret@host:Zq7/db",
    "postgresql+nodriver://user:Zq7secret@127.0.0.1:1/db",
    "postgresql://127.0.0.1:1/db?passwort=Zq7secret",
    "user:Zq7secret@127.0.0.1:5000",
    "htpp://user:Zq7secret@127.0.0.1:5000",
]


@pytest.mark.slow
@pytest.mark.parametrize("written", REAL)
def test_a_real_connection_that_fails_prints_no_secret(
    written: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", written)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr("mlflow.store.db.utils.MAX_RETRY_COUNT", 1)
    with pytest.raises((TrackingError, OSError)) as refused, connect() as client:
        client.search_experiments()
    printed = capfd.readouterr()
    for text in (str(refused.value), printed.out, printed.err):
        assert "Zq7" not in text
