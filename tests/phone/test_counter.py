"""The plugin's own decoder of A64 against GNU objdump, over all code that a measurement can run."""

import ctypes
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pocketear.phone import setup
from pocketear.phone.harness import KINDS

# Of an architecture later than any phone class has: scalable vectors and memory tags.
NEWER = re.compile(r"udf|.*\b[zp]\d+\b|(inc|dec|cnt)[bhwd]\b|(add|rd)v?vl\b|addpl\b|st2?z?2?g\b")
Decode = Callable[[np.ndarray], list[str]]
MULTIPLY_ADDS = (
    r"(fmla|fmls|fmadd|fmsub|fnmadd|fnmsub|mla|mls|[su]ml[as]l2?|[us]dot|usdot|[su]mmla)"
)


def kind_by_name(mnemonic: str, operands: str) -> str:
    """What an instruction is, judged from how the disassembler spells it."""
    name = mnemonic.split(".")[0]
    vector = re.search(r"\b[vqdshb](\d|[12]\d|3[01])\b", operands)
    if re.fullmatch(MULTIPLY_ADDS, name):
        return "multiply_add"
    if re.match(r"ld|prfm|prfum|cas|swp", name):
        return "load"
    if re.match(r"st", name):
        return "store"
    if re.fullmatch(r"b|bl|br|blr|ret|cbz|cbnz|tbz|tbnz", name):
        return "branch"
    return "vector" if vector else "other"


@pytest.fixture(scope="module")
def decode(tools: setup.Tools, tmp_path_factory: pytest.TempPathFactory) -> Decode:
    """`kind_of` of counter.c; the emulator's functions that it names are never called."""
    folder = tmp_path_factory.mktemp("decoder")
    source = Path(setup.__file__).parent / "native" / "counter.c"
    (folder / "decode.c").write_text(
        f'#include "{source}"\n'
        '__attribute__((visibility("default"))) void decode(uint32_t *words, int count) {'
        " for (int i = 0; i < count; i++) words[i] = kind_of(words[i]); }\n"
    )
    build = ["gcc", "-O2", "-shared", "-fPIC", "-Wl,-z,lazy", "-o", "decode.so", "decode.c"]
    subprocess.run(build, cwd=folder, check=True)
    function = ctypes.CDLL(str(folder / "decode.so"), mode=os.RTLD_LAZY).decode

    def run(words: np.ndarray) -> list[str]:
        kinds = words.copy()
        function(kinds.ctypes.data_as(ctypes.c_void_p), len(kinds))
        return [KINDS[kind] for kind in kinds]

    return run


@pytest.mark.slow
@pytest.mark.parametrize("library", ["libLiteRt.so", "libc.so.6", "libm.so.6"])
def test_every_instruction_is_of_the_kind_that_objdump_names(
    tools: setup.Tools, decode: Decode, library: str
) -> None:
    command = ["aarch64-linux-gnu-objdump", "-d", str(tools.folder / "lib" / library)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^\s*[0-9a-f]+:\s+([0-9a-f]{8})\s+([a-z][\w.]*)\s*(.*)$", listing, re.M)
    spelt = {word: (name, rest) for word, name, rest in found if not NEWER.match(f"{name} {rest}")}
    assert len(spelt) > 10_000
    kinds = decode(np.array([int(word, 16) for word in spelt], np.uint32))
    wrong = {
        (name, rest, kind)
        for (name, rest), kind in zip(spelt.values(), kinds, strict=True)
        if kind != kind_by_name(name, rest)
    }
    assert not wrong
