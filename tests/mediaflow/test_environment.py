"""The environment: defaults, and one sentence that names each wrong value."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mediaflow.base.env import PROJECT_ROOT, EnvironmentProblem, read_environment
from mediaflow.identity import take_on_identity

if TYPE_CHECKING:
    from tests.conftest import Instance


def test_nothing_needs_to_be_set() -> None:
    found = read_environment({})
    assert found.data_dir == PROJECT_ROOT / "var"
    assert found.work_dir == PROJECT_ROOT / "var" / "work"
    assert (found.host, found.port, found.jobs) == ("127.0.0.1", 9876, 1)
    assert not found.is_https


def test_relative_folders_belong_to_the_project_not_to_the_working_directory() -> None:
    found = read_environment({"MEDIAFLOW_DATA_DIR": "elsewhere"})
    assert found.data_dir == PROJECT_ROOT / "elsewhere"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEDIAFLOW_PORT", "0"),
        ("MEDIAFLOW_PORT", "65536"),
        ("MEDIAFLOW_PORT", "http"),
        ("MEDIAFLOW_PORT", "9" * 4000),
        ("MEDIAFLOW_HOST", "not a host"),
        ("MEDIAFLOW_JOBS", "-1"),
        ("MEDIAFLOW_JOBS", "1.5"),
        ("MEDIAFLOW_PUBLIC_URL", "films.example.org"),
        ("MEDIAFLOW_PUBLIC_URL", "https://x/path"),
        ("MEDIAFLOW_PUBLIC_URL", "https://x:99999"),
        ("MEDIAFLOW_TIME_ZONE", "Mars/Olympus"),
        ("MEDIAFLOW_TIME_ZONE", "../../etc/passwd"),
        ("MEDIAFLOW_PUID", "root"),
        ("MEDIAFLOW_UMASK", "999"),
        ("MEDIAFLOW_DATABASE_URL", "mysql://x"),
        ("MEDIAFLOW_REDIS_URL", "http://x"),
        ("MEDIAFLOW_FFMPEG", "/no/such/program"),
        ("MEDIAFLOW_SECRET_KEY", "short"),
        ("MEDIAFLOW_SECRET_KEY_FILE", "/no/such/file"),
        ("MEDIAFLOW_TRUSTED_PROXIES", "10.0.0.1, proxy.local"),
        ("MEDIAFLOW_ALLOWED_HOSTS", "http://films.example.org/"),
        ("MEDIAFLOW_ALLOWED_HOSTS", "films.example.org:9876"),
        ("MEDIAFLOW_PLEX_TV_URL", "plex.tv"),
        ("MEDIAFLOW_PLEX_TV_URL", "ftp://127.0.0.1:1"),
        ("MEDIAFLOW_DEBUG", "maybe"),
        ("MEDIAFLOW_DATA_DIR", __file__),
        ("MEDIAFLOW_DATA_DIR", "/tmp/a\0b"),
    ],
)
def test_a_wrong_value_is_a_sentence_that_names_it(name: str, value: str) -> None:
    with pytest.raises(EnvironmentProblem) as problem:
        read_environment({name: value})
    assert name in str(problem.value)
    assert str(problem.value).rstrip().endswith(".")


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("MEDIAFLOW_UMASK", "027", "umask", 0o27),
        ("MEDIAFLOW_UMASK", "0o22", "umask", 0o22),
        ("MEDIAFLOW_DEBUG", "Yes", "debug", True),
        ("MEDIAFLOW_DEBUG", "off", "debug", False),
        ("MEDIAFLOW_PUBLIC_URL", "https://films.example.org:8443/", "public_url",
         "https://films.example.org:8443"),
        ("MEDIAFLOW_PUID", "1000", "puid", 1000),
    ],
)  # fmt: skip
def test_a_right_value_is_taken(name: str, value: str, field: str, expected: object) -> None:
    assert getattr(read_environment({name: value}), field) == expected


def test_a_secret_from_an_empty_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(EnvironmentProblem, match="MEDIAFLOW_SECRET_KEY_FILE names an empty file"):
        read_environment({"MEDIAFLOW_SECRET_KEY_FILE": str(tmp_path / "secret")})


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s" * 40 + "\n")
    found = read_environment({"MEDIAFLOW_SECRET_KEY_FILE": str(tmp_path / "secret")})
    assert found.secret_key == "s" * 40


def test_host_names_of_every_kind_are_taken() -> None:
    given = "*, films.example.org .example.org nas 10.0.0.2 [fe80::1]"
    assert len(read_environment({"MEDIAFLOW_ALLOWED_HOSTS": given}).allowed_hosts) == 6


def test_lists_take_spaces_and_commas() -> None:
    found = read_environment({"MEDIAFLOW_TRUSTED_PROXIES": "10.0.0.1, 172.16.0.0/12 ::1"})
    assert found.trusted_proxies == ("10.0.0.1", "172.16.0.0/12", "::1")


@pytest.mark.parametrize(
    ("name", "value"), [("MEDIAFLOW_PORT", "many"), ("MEDIAFLOW_TRUSTED_PROXIES", "all")]
)
def test_every_command_stops_with_code_2_and_the_sentence(
    instance: Instance, name: str, value: str
) -> None:
    instance.env[name] = value
    done = instance.run("check")
    assert done.returncode == 2
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_folder_that_cannot_be_made_is_a_sentence(instance: Instance) -> None:
    done = instance.run("serve", MEDIAFLOW_DATA_DIR="/proc/nothing")
    assert done.returncode == 2
    assert "MEDIAFLOW_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_command_the_help_is_shown(instance: Instance) -> None:
    done = instance.run()
    assert done.returncode == 0
    assert "serve" in done.stdout


def test_a_command_that_does_not_exist_is_a_sentence(instance: Instance) -> None:
    process = instance.start("optimise")  # a start like a person's: nothing is loaded yet
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 2
    assert said == (
        "mediaflow: There is no command 'optimise'; `mediaflow help` lists them."
        " Did you mean `optimize`?\n"
    )


def test_a_database_that_was_never_set_up_is_a_sentence(instance: Instance, tmp_path: Path) -> None:
    done = instance.run("jobs", MEDIAFLOW_DATA_DIR=str(tmp_path / "fresh"))
    assert done.returncode == 2
    assert "mediaflow migrate" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_user_needs_a_start_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EnvironmentProblem, match="as root"):
        take_on_identity(read_environment({"MEDIAFLOW_PUID": "1001"}))


@pytest.fixture
def taken_on(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Started as root; what would change the process is noted instead, in order."""
    found: list[tuple[str, Any]] = []
    for name in ("setgroups", "setgid", "setuid", "umask"):
        monkeypatch.setattr(os, name, lambda value, name=name: found.append((name, value)))
    for name in ("geteuid", "getegid", "getgid"):
        monkeypatch.setattr(os, name, lambda: 0)
    return found


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ({}, []),
        ({"PUID": "0", "PGID": "0"}, []),  # it is root already
        ({"UMASK": "027"}, [("umask", 0o27)]),
        ({"PUID": "5"}, [("setgroups", [0]), ("setuid", 5)]),
        ({"PGID": "6"}, [("setgroups", [6]), ("setgid", 6)]),
        ({"PUID": "5", "PGID": "6"}, [("setgroups", [6]), ("setgid", 6), ("setuid", 5)]),
    ],
)
def test_groups_are_given_up_before_the_right_to_do_so(
    values: dict[str, str], steps: list[Any], taken_on: list[Any], tmp_path: Path
) -> None:
    env = {f"MEDIAFLOW_{name}": value for name, value in values.items()}
    take_on_identity(read_environment({**env, "MEDIAFLOW_DATA_DIR": str(tmp_path / "data")}))
    assert taken_on == steps


@pytest.mark.service("root")
def test_only_what_root_owns_is_handed_over_and_no_link_is_followed(
    taken_on: list[Any], tmp_path: Path
) -> None:
    outside, data = tmp_path / "outside", tmp_path / "data"
    data.mkdir()
    for place in (outside, data / "ours", data / "theirs"):
        place.touch()
    (data / "link").symlink_to(outside)
    os.chown(data / "theirs", 77, 77)
    values = {"MEDIAFLOW_PUID": "5", "MEDIAFLOW_DATA_DIR": str(data)}
    take_on_identity(read_environment(values))
    owners = {place.name: place.lstat().st_uid for place in data.iterdir()}
    assert (owners["ours"], owners["theirs"], owners["link"]) == (5, 77, 5)
    assert (outside.stat().st_uid, data.stat().st_gid) == (0, 0)
    (data / "new").touch()
    take_on_identity(read_environment(values))  # the folder is theirs: nothing is gone through
    assert (data / "new").stat().st_uid == 0


def test_a_folder_that_cannot_be_handed_over_is_a_sentence(
    taken_on: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    values = {"MEDIAFLOW_PUID": "5", "MEDIAFLOW_DATA_DIR": str(tmp_path / "file" / "data")}
    with pytest.raises(EnvironmentProblem, match=r"cannot be handed to user 5: Not a directory\."):
        take_on_identity(read_environment(values))
    assert taken_on == []


@pytest.mark.service("root")
def test_files_belong_to_the_wanted_user_and_group(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.owner() == "root" and parent not in (Path("/"), Path("/tmp")):
            parent.chmod(parent.stat().st_mode | 0o055)
    code = (
        "from mediaflow.base.env import read_environment\n"
        "from mediaflow.identity import take_on_identity\n"
        "import os, pathlib\n"
        "take_on_identity(read_environment())\n"
        "pathlib.Path(os.environ['MEDIAFLOW_DATA_DIR'], 'made').touch()\n"
        "print(os.getuid(), os.getgid(), os.getgroups())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_ROOT,
        env={
            "PATH": os.environ["PATH"],
            "MEDIAFLOW_DATA_DIR": str(tmp_path / "data"),
            "MEDIAFLOW_PUID": "12345",
            "MEDIAFLOW_PGID": "54321",
            "MEDIAFLOW_UMASK": "027",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split("\n")[0] == "12345 54321 [54321]", done.stderr
    made = (tmp_path / "data" / "made").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (12345, 54321, 0o640)
