"""The few calls of Sonarr's and Radarr's API (version 3) that MediaFlow needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from library.plex.mapping import parse_remote
from mediaflow.base.encryption import SecretLost, decrypt_secret
from mediaflow.base.outbound import OutboundProblem, OutboundSession

if TYPE_CHECKING:
    from collections.abc import Iterable

    from library.models import ArrServer

CALL_TIMEOUT_S: Final = 20.0
LIST_TIMEOUT_S: Final = 60.0
_APP_NAMES: Final = {"sonarr": "Sonarr", "radarr": "Radarr"}
_LISTS: Final = {"sonarr": "series", "radarr": "movie"}
_COMMANDS: Final = {
    "sonarr": ("RescanSeries", "seriesId"),
    "radarr": ("RescanMovie", "movieId"),
}


class ArrProblem(Exception):
    """A call that did not do what it should. `kind`: network, key, address, answer or changed.

    `text` is a sentence for people and holds no secret. `status`: of the answer, 0 without one.
    """

    def __init__(self, kind: str, text: str, *, status: int = 0) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.status = status


@dataclass(frozen=True, slots=True)
class ArrStatus:
    """Who answers."""

    app_name: str
    version: str


@dataclass(frozen=True, slots=True)
class ArrTitle:
    """A series or a film that the server looks after; `path` is its folder, as it calls it."""

    id: int
    title: str
    path: str


def is_below(path: str, folder: str) -> bool:
    """Whether a path of the other machine lies in a folder of it."""
    inner, outer = parse_remote(path), parse_remote(folder)
    if inner is None or outer is None:
        return False
    return inner.key[: len(outer.key)] == outer.key


def innermost(titles: Iterable[ArrTitle], path: str) -> ArrTitle | None:
    """The title whose folder holds a file; of several the innermost folder wins."""
    found = [title for title in titles if is_below(path, title.path)]
    return max(found, key=lambda title: len(title.path), default=None)


class ArrClient:
    """One server. Every method raises ArrProblem. Not for several threads at once."""

    def __init__(self, server: ArrServer, *, api_key: str | None = None) -> None:
        """`api_key`: one that is not stored yet. Raises ArrProblem when the stored one is lost."""
        try:
            key = decrypt_secret(server.api_key_encrypted) if api_key is None else api_key
        except SecretLost:
            raise ArrProblem(
                "key", "Its API key cannot be read any more; enter it again."
            ) from None
        self._kind, self._url = server.kind, server.url.rstrip("/")
        self._name = _APP_NAMES[server.kind]
        self._headers = {"X-Api-Key": key, "Accept": "application/json"}
        self._session = OutboundSession(may_be_this_machine=server.is_on_this_machine)

    def __enter__(self) -> ArrClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._session.close()

    def status(self) -> ArrStatus:
        """Also says whether it is the program that its row says, of a version we can talk to."""
        answer = self._get("system/status")
        if not isinstance(answer, dict) or not answer.get("appName"):
            raise ArrProblem("answer", f"What answers at this address is not {self._name}.")
        status = ArrStatus(str(answer["appName"])[:40], str(answer.get("version", ""))[:40])
        if status.app_name != self._name:
            found = f"{status.app_name}, not {self._name}"
            text = f"What answers at this address is {found}; change program or address."
            raise ArrProblem("answer", text)
        return status

    def root_folders(self) -> list[str]:
        """The folders that it looks after, as it calls them."""
        return [str(row["path"]) for row in self._rows("rootfolder") if row.get("path")]

    def titles(self) -> list[ArrTitle]:
        """All series or films. Long: `title_lists` keeps them for a while."""
        rows = self._rows(_LISTS[self._kind], timeout_s=LIST_TIMEOUT_S)
        return [title for row in rows if (title := _title_of(row)) is not None]

    def title(self, title_id: int) -> ArrTitle | None:
        """One of them as it is now; None when it is gone."""
        try:
            return _title_of(self._get(f"{_LISTS[self._kind]}/{title_id}"))
        except ArrProblem as problem:
            if problem.status == 404:
                return None
            raise

    def rescan(self, title_id: int) -> None:
        """Ask it to look at the files of one series or film again. It answers before it looks."""
        command, argument = _COMMANDS[self._kind]
        self._call("POST", "command", json={"name": command, argument: title_id})

    def _rows(self, path: str, *, timeout_s: float = CALL_TIMEOUT_S) -> list[dict[str, Any]]:
        answer = self._get(path, timeout_s=timeout_s)
        if not isinstance(answer, list):
            raise ArrProblem("answer", f"{self._name} answered with something unexpected.")
        return [row for row in answer if isinstance(row, dict)]

    def _get(self, path: str, *, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        return self._call("GET", path, timeout_s=timeout_s)

    def _call(
        self, method: str, path: str, *, json: Any = None, timeout_s: float = CALL_TIMEOUT_S
    ) -> Any:
        url = f"{self._url}/api/v3/{path}"
        try:
            reply = self._session.call(
                method, url, headers=self._headers, json=json, timeout_s=timeout_s
            )
        except OutboundProblem as problem:
            kind = "address" if problem.kind == "address" else "network"
            raise ArrProblem(kind, problem.text) from problem
        if reply.status in (401, 403):
            raise ArrProblem(
                "key",
                f"{self._name} does not accept the API key; copy it once more from its settings.",
            )
        if reply.status == 404 or 300 <= reply.status < 400:
            text = f"There is no API of {self._name} at this address; its base path may be missing."
            raise ArrProblem("answer", text, status=reply.status)
        if not 200 <= reply.status < 300:
            raise ArrProblem("answer", f"{self._name} answered with an error ({reply.status}).")
        return _json(reply.body, self._name)


def _title_of(row: Any) -> ArrTitle | None:
    if not isinstance(row, dict) or not isinstance(row.get("id"), int) or not row.get("path"):
        return None
    return ArrTitle(row["id"], str(row.get("title", "")), str(row["path"]))


def _json(body: bytes, name: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise ArrProblem("answer", f"What answers at this address is not {name}.") from None
