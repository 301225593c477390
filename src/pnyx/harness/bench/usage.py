"""What the kernel says about a process: CPU time and memory, from /proc."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
KIB: Final = 1024


def cpu_s(pids: Sequence[int]) -> float:
    """Return the CPU time that the processes have used, user and system, all threads."""
    return sum(_ticks(pid) for pid in pids) / TICKS_PER_S


def resident_bytes(pid: int) -> int:
    """Return the process's resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * KIB
    raise AssertionError("every process has a line VmRSS")


def machine() -> str:
    """Return what a figure must say about its machine: processor, cores, memory, kernel."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores of {model}, {memory_bytes / 2**30:.0f} GiB, Linux {os.uname().release}"


def file_system(path: Path) -> str:
    """Return the type of the file system that holds `path`."""
    wanted, kind = path.resolve(), "unknown"
    longest = -1
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, point, fs_type, *_ = line.split()
        if wanted.is_relative_to(point) and len(point) > longest:
            longest, kind = len(point), fs_type
    return kind


def _ticks(pid: int) -> int:
    # The second field is the name in brackets, which may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
