"""How many cores and how much memory this process may use, containers included. No Django."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
_UNKNOWN_MEMORY_BYTES = 4 * 1024**3


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Cores of our affinity, and not more than a container's share of them."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota, _, period = _first_line(cgroup / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit() and int(period) > 0:
        cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def free_memory_bytes(cgroup: Path = CGROUP, meminfo: Path = MEMINFO) -> int:
    """What can be taken without pushing others out, within a container's limit."""
    free = _available_bytes(meminfo)
    limit, used = _first_line(cgroup / "memory.max"), _first_line(cgroup / "memory.current")
    if limit.isdigit() and used.isdigit():
        free = min(free, max(0, int(limit) - int(used)))
    return free


def _available_bytes(meminfo: Path) -> int:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return _UNKNOWN_MEMORY_BYTES
    for line in lines:
        name, _, amount = line.partition(":")
        if name == "MemAvailable":
            return int(amount.split()[0]) * 1024
    return _UNKNOWN_MEMORY_BYTES


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip().partition("\n")[0]
    except OSError:
        return ""
