"""What native code and Python say on standard error, in processes of their own."""

import os
import subprocess
import sys

import pytest

CHATTER = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795613596.856575    9992 port.cc:153] oneDNN custom operations are on.",
    "E0000 00:00:1795613607.885478    9992 cuda_platform.cc:52] failed call to cuInit: INTERNAL",
    "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.",
    "[src/libmpg123/layer3.c:INT123_do_layer3():1774] error: part2_3_length (192) too large",
)
KEPT = (
    "F0000 00:00:1795613607.885478    9992 tensor.cc:9] Check failed: it is not",
    "I0000 of something else",
    "malloc(): corrupted top size",
)


def stderr_of(code: str) -> str:
    imports = "import os, sys\nfrom pocketear.base.process import drop_chatter"
    start = f"{imports}\ndrop_chatter()\n{code}"
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, check=False)
    return done.stderr.decode()


def test_chatter_is_dropped_and_all_else_is_kept_in_order() -> None:
    lines = [line for pair in zip(KEPT, CHATTER, strict=False) for line in pair]
    written = "\n".join(lines) + "\nno end of line"
    kept = "\n".join([*KEPT, "no end of line"])
    assert stderr_of(f"os.write(2, {written.encode()!r})") == kept


def test_the_last_words_of_what_aborts_arrive() -> None:
    assert stderr_of(f"os.write(2, {KEPT[0].encode()!r}); os.abort()") == KEPT[0]


@pytest.mark.parametrize("line", CHATTER)
def test_what_python_says_is_never_touched(line: str) -> None:
    written = stderr_of(f"print({line!r}, file=sys.stderr); 1 / 0")
    assert written.startswith(line)
    assert "ZeroDivisionError" in written


def test_what_a_child_process_writes_arrives() -> None:
    code = "import subprocess; subprocess.run(['sh', '-c', 'echo written >&2'])"
    assert stderr_of(code) == "written\n"


def test_python_still_knows_a_terminal() -> None:
    main, terminal = os.openpty()
    code = "import sys\nfrom pocketear.base.process import drop_chatter\ndrop_chatter()\n"
    shown = f"{code}print(sys.stderr.isatty())"
    done = subprocess.run(
        [sys.executable, "-c", shown], stderr=terminal, stdout=subprocess.PIPE, check=True
    )
    os.close(main)
    assert done.stdout == b"True\n"


@pytest.mark.slow
def test_a_stage_that_imports_tensorflow_says_nothing_of_it() -> None:
    stage = [sys.executable, "-m", "pocketear.stages.train", "--help"]
    quiet = subprocess.run(stage, capture_output=True, text=True, check=True)
    assert quiet.stderr == ""
    code = (
        "import tensorflow as tf; from ai_edge_litert.interpreter import Interpreter\n"
        "tf.data.Dataset.from_tensor_slices([1]).map(lambda x: x).batch(1)\n"
        "print(len(tf.config.list_logical_devices('CPU')), 'processor')"
    )
    assert stderr_of(code) == ""
