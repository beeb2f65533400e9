"""What stops a start, and with which sentence."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

import pytest

from mediaflow.supervisor import preflight
from mediaflow.supervisor.preflight import StartProblem

if TYPE_CHECKING:
    from pathlib import Path


def test_folders_are_made_and_nothing_is_left_in_them(tmp_path: Path) -> None:
    preflight.prepare_folders(tmp_path / "a" / "data", tmp_path / "work")
    assert list((tmp_path / "a" / "data").iterdir()) == []


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    with pytest.raises(StartProblem, match="MEDIAFLOW_DATA_DIR"):
        preflight.prepare_folders(tmp_path / "data", tmp_path / "work")


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(StartProblem, match="is full"):
        preflight.prepare_folders(tmp_path / "data", tmp_path / "work")


def test_a_disk_with_hardly_any_room_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "MIN_FREE_BYTES", 2**70)
    with pytest.raises(StartProblem, match=r"is full \(\d+ MB free\).*MEDIAFLOW_DATA_DIR"):
        preflight.prepare_folders(tmp_path / "data", tmp_path / "work")


def test_the_second_on_the_same_folder_hears_who_holds_it(tmp_path: Path) -> None:
    first = preflight.lock_instance(tmp_path)
    with pytest.raises(StartProblem, match=rf"process {os.getpid()}"):
        preflight.lock_instance(tmp_path)
    first.release()
    preflight.lock_instance(tmp_path).release()


def test_a_port_in_use_is_a_sentence() -> None:
    taken = preflight.bind_port("127.0.0.1", 0)
    try:
        with pytest.raises(StartProblem, match="in use"):
            preflight.bind_port("127.0.0.1", taken.getsockname()[1])
    finally:
        taken.close()


def test_a_port_that_needs_root_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_socket: object, _place: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(StartProblem, match="Port 80 needs root"):
        preflight.bind_port("127.0.0.1", 80)


def test_an_address_that_is_not_ours_is_a_sentence() -> None:
    with pytest.raises(StartProblem, match="no address of this machine"):
        preflight.bind_port("203.0.113.1", 0)


def test_ipv6_is_bound_when_asked_for() -> None:
    try:
        listener = preflight.bind_port("::1", 0)
    except StartProblem:
        assert not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6")
        return
    assert listener.family == socket.AF_INET6
    listener.close()


@pytest.mark.parametrize(
    ("mounts", "kind"),
    [
        ("/dev/sda1 / ext4 rw 0 0\n", ""),
        ("/dev/sda1 / ext4 rw 0 0\nnas:/v {here} nfs4 rw 0 0\n", "nfs4"),
        ("/dev/sda1 / ext4 rw 0 0\n//nas/v {here} cifs rw 0 0\n", "cifs"),
        ("nas:/v / nfs rw 0 0\n/dev/sdb1 {here} xfs rw 0 0\n", ""),
        ("/dev/sda1 / ext4 rw 0 0\nnas:/v {here}x nfs4 rw 0 0\n", ""),
        ("nonsense\n\nnas:/v / nfs rw 0 0\n", "nfs"),
    ],
)
def test_the_nearest_mount_decides_whether_a_folder_is_on_the_network(
    tmp_path: Path, mounts: str, kind: str
) -> None:
    folder = tmp_path / "my data"
    folder.mkdir()
    table = tmp_path / "mounts"
    table.write_text(mounts.format(here=str(folder).replace(" ", "\\040")))
    assert preflight.network_file_system(folder, table) == kind


def test_without_a_table_of_mounts_nothing_is_said_of_the_network(tmp_path: Path) -> None:
    assert preflight.network_file_system(tmp_path, tmp_path / "no") == ""


def test_sqlite_on_the_network_is_refused_and_postgresql_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "network_file_system", lambda _folder: "nfs4")
    preflight.refuse_network_database(tmp_path, is_sqlite=False)
    with pytest.raises(StartProblem, match="nfs4"):
        preflight.refuse_network_database(tmp_path, is_sqlite=True)
