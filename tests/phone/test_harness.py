"""A harness that crashes, hangs or refuses ends as one line."""

from pathlib import Path

import numpy as np
import pytest

from broken_harness import with_harness
from pocketear.base.errors import PhoneError
from pocketear.phone.harness import Job, count_run
from pocketear.phone.setup import Tools

WINDOWS = np.zeros((1, 490), np.float32)


def test_a_crash_is_one_line(tools: Tools, tmp_path: Path, reference: Path) -> None:
    broken = with_harness(tools, tmp_path, "int main(void) { *(volatile int *)8 = 1; return 0; }\n")
    with pytest.raises(PhoneError, match="the harness ended with") as failed:
        count_run(broken, Job(reference, WINDOWS, "a76"))
    assert "Segmentation" in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_hang_is_one_line(tools: Tools, tmp_path: Path, reference: Path) -> None:
    broken = with_harness(tools, tmp_path, "int main(void) { for (;;) ; }\n")
    with pytest.raises(PhoneError, match="did not end within 2 s"):
        count_run(broken, Job(reference, WINDOWS, "a76", timeout_s=2))


def test_what_litert_refuses_names_the_call(tools: Tools, tmp_path: Path) -> None:
    path = tmp_path / "damaged.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    with pytest.raises(PhoneError, match=r"refuses it: LiteRtCreate\w+ with status \d"):
        count_run(tools, Job(path, WINDOWS, "a76"))
