"""A nightly run that is refused reaches a webhook, by Prefect's own automations; others do not."""

import json
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from judged_project import write_judged
from places import ROOT

from .conftest import add_judge, serving, until, without_login
from .test_serve import output_of, prefect

pytestmark = pytest.mark.slow

MAKE_BLOCKS = """
import sys
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.system import Secret
said = {"title": "{{subject}}", "text": "{{body}}"}
CustomWebhookNotificationBlock(name="team", url=sys.argv[1], json_data=said).save("team")
Secret(value="x").save("word")
"""


class Webhook(HTTPServer):
    """A chat service on loopback. received: what it was sent"""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Message)
        self.received = []


class Message(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append(json.loads(sent))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def webhook():
    with Webhook() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def python(root, *arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=root, env=without_login(), capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def test_a_nightly_run_that_is_refused_notifies_once_and_others_do_not(
    fresh_pipeline, tmp_path, webhook
):
    root = tmp_path / "pipeline"
    shutil.copytree(fresh_pipeline, root)
    add_judge(root)
    write_judged(root / "judged", accepted=False)
    with serving(root):
        blocks = python(root, "-c", MAKE_BLOCKS, f"http://127.0.0.1:{webhook.server_port}/")
        assert blocks.returncode == 0, blocks.stderr
        for wrong, said in (
            ("slack-webhook/nobody", "the server has no block 'slack-webhook/nobody'"),
            ("secret/word", "secret/word is no notification block"),
        ):
            refused = python(root, "flows/alert.py", wrong)
            assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
            assert said in refused.stderr
        for _ in range(2):  # the second time it is the same automation
            done = python(root, "flows/alert.py", "custom-webhook/team")
            assert done.returncode == 0, done.stderr

        nightly = ("deployment", "run", "retrain/nightly", "--watch")
        (root / "left.mode").write_text("fail")
        output_of(prefect(root, "deployment", "run", "retrain/on-demand", "--watch"))
        (root / "left.mode").unlink()
        output_of(prefect(root, *nightly))
        until(lambda: webhook.received)
    (sent,) = webhook.received
    assert sent["title"] == "nightly: Refused"
    assert "refused: accuracy 1.00 is below 0.8" in sent["text"]
    assert "http://127.0.0.1:" in sent["text"]


def test_without_a_server_one_line_says_so(tmp_path):
    done = python(tmp_path, str(ROOT / "flows/alert.py"), "slack-webhook/team")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no Prefect server is running in this folder")
    assert done.stderr.count("\n") == 1
