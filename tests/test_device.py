import platform
import subprocess
import sys

import pytest

KEPT = """
import sys
import torch
from seqtrain import host_memory
from seqtrain.device import tune_allocator

if sys.argv[1] == "tuned":
    tune_allocator()
before = host_memory.resident()
values = torch.ones(16 << 20)
del values
print(host_memory.resident() - before > 32 << 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be tuned")
@pytest.mark.parametrize(("allocator", "kept"), [("tuned", "True"), ("stock", "False")])
def test_a_tuned_allocator_keeps_freed_memory(allocator, kept):
    done = subprocess.run([sys.executable, "-c", KEPT, allocator], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == kept
