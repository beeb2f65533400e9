"""What must be true before anything is started. Each problem is one sentence."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

MIN_FREE_BYTES = 64 * 1024**2
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "smb2", "afs", "9p", "fuse.sshfs", "fuse.rclone"}
)
LOCK_NAME = "serve.lock"


class StartProblem(Exception):
    """MediaFlow cannot start; the text says why and what to do."""


@dataclass(slots=True)
class InstanceLock:
    """The flock that makes this the only instance on the data directory. Gone with the process."""

    descriptor: int

    def release(self) -> None:
        os.close(self.descriptor)


def prepare_folders(data_dir: Path, work_dir: Path) -> None:
    """Make both folders and prove that they can be written. Raises StartProblem."""
    for name, folder in (("MEDIAFLOW_DATA_DIR", data_dir), ("MEDIAFLOW_WORK_DIR", work_dir)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            trial = folder / f".write-test-{os.getpid()}"
            trial.write_bytes(b"x" * 4096)
            trial.unlink()
            free = shutil.disk_usage(folder).free
        except OSError as error:
            raise StartProblem(_folder_problem(name, folder, error)) from None
        if free < MIN_FREE_BYTES:
            raise StartProblem(
                f"The disk of {folder} is full ({free // 1024**2} MB free). Make room, or set"
                f" {name} to a folder on another disk."
            )


def _folder_problem(name: str, folder: Path, error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"The disk of {folder} is full. Make room, or set {name} to another disk."
    return (
        f"{folder} cannot be written ({error.strerror}). Give this user the right to, or set"
        f" {name} to another folder."
    )


def lock_instance(data_dir: Path) -> InstanceLock:
    """Take the lock of the data directory. Raises StartProblem when another process holds it."""
    descriptor = os.open(data_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise StartProblem(
            f"MediaFlow already runs on {data_dir} (process {holder}). Stop it first, or give"
            " this one its own MEDIAFLOW_DATA_DIR."
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return InstanceLock(descriptor)


def bind_port(host: str, port: int) -> socket.socket:
    """The listening socket, made here so that a port in use is a sentence. Raises StartProblem."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except (OSError, UnicodeError) as error:
        listener.close()
        raise StartProblem(_port_problem(host, port, error)) from None
    return listener


def _port_problem(host: str, port: int, error: Exception) -> str:
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use by another program. Stop that program, or set"
            " MEDIAFLOW_PORT to a free port."
        )
    if code == errno.EACCES:
        return f"Port {port} needs root. Set MEDIAFLOW_PORT to a port above 1023."
    return f"MEDIAFLOW_HOST {host!r} is no address of this machine. Use 127.0.0.1 or 0.0.0.0."


def network_file_system(folder: Path, mounts_file: Path = Path("/proc/self/mounts")) -> str:
    """The type of the network file system that `folder` lies on; "" for a local one."""
    try:
        lines = mounts_file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""  # no /proc: cannot tell
    best, kind = Path("/"), ""
    real = Path(os.path.realpath(folder))
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(_unescaped(fields[1]))
        if (real == point or point in real.parents) and len(point.parts) >= len(best.parts):
            best, kind = point, fields[2]
    return kind if kind in NETWORK_FILE_SYSTEMS else ""


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def refuse_network_database(data_dir: Path, *, is_sqlite: bool) -> None:
    """SQLite's locks do not hold on NFS and SMB. Raises StartProblem."""
    kind = network_file_system(data_dir) if is_sqlite else ""
    if kind:
        raise StartProblem(
            f"{data_dir} lies on a network file system ({kind}), where SQLite loses data. Set"
            " MEDIAFLOW_DATA_DIR to a local disk, or MEDIAFLOW_DATABASE_URL to PostgreSQL."
        )
