"""The user, group and umask under which MediaFlow runs: `MEDIAFLOW_PUID`, `_PGID`, `_UMASK`.

Taken on before Django's settings are read, since those already write into the data directory.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mediaflow.base.env import EnvironmentProblem

if TYPE_CHECKING:
    from pathlib import Path

    from mediaflow.base.env import Environment


def take_on_identity(environment: Environment) -> None:
    """Become the wanted user. Raises EnvironmentProblem where that is not possible."""
    if environment.umask is not None:
        os.umask(environment.umask)
    uid, gid = environment.puid, environment.pgid
    wants_other = (uid is not None and uid != os.geteuid()) or (
        gid is not None and gid != os.getegid()
    )
    if not wants_other:
        return
    if os.geteuid() != 0:
        raise EnvironmentProblem(
            "MEDIAFLOW_PUID and MEDIAFLOW_PGID need a start as root; start MediaFlow as that user"
            " instead and leave them empty."
        )
    for folder in (environment.data_dir, environment.work_dir):
        _hand_over(folder, uid, gid)
    # Groups first: after setuid there is no right left to change them.
    if gid is not None:
        os.setgroups([gid])
        os.setgid(gid)
    else:
        os.setgroups([os.getgid()])
    if uid is not None:
        os.setuid(uid)


def _hand_over(folder: Path, uid: int | None, gid: int | None) -> None:
    """Make the folder and give what root owns in it to the user; files of others stay theirs."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_uid != 0:
            return
        for place in (folder, *folder.rglob("*")):
            if place.lstat().st_uid == 0:
                os.chown(
                    place,
                    -1 if uid is None else uid,
                    -1 if gid is None else gid,
                    follow_symlinks=False,
                )
    except OSError as error:
        raise EnvironmentProblem(
            f"{folder} cannot be handed to user {uid}: {error.strerror}."
        ) from None
