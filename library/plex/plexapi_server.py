"""plexapi, to ask a server for a scan, for a look into a file, for the mark of a watched film.

Never for lists, for which it is too slow (plex.md, section 4); edits and collections: `writing`.

Its headers are set per call of `connect_plexapi`, not from its own process-wide defaults, which
would make a new device of every container; reading on demand is off, which would send one request
per item; and its calls are guarded as all of ours are, each and all together bounded in time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import requests

from library.plex.client import PlexProblem, out_of_time, status_problem, token_of, url_of
from library.plex.device import plex_headers
from mediaflow.base.outbound import OutboundProblem, OutboundSession

# Read by plexapi at import.
os.environ.setdefault("PLEXAPI_PLEXAPI_AUTORELOAD", "false")

from plexapi.exceptions import BadRequest, NotFound, PlexApiException, Unauthorized
from plexapi.server import PlexServer as PlexApiServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from library.models import PlexServer

TIMEOUT_S: Final = 60.0  # of one call


def connect_plexapi(
    server: PlexServer, *, left_s: Callable[[], float] = lambda: TIMEOUT_S
) -> PlexApiServer:
    """A server as plexapi has it, for one task in one thread (its edits keep state).

    `left_s`: how much time all that is still to be called may take together. Raises PlexProblem;
    later calls raise plexapi's own errors, which `plexapi_problem` explains.
    """
    url = url_of(server)
    outbound = OutboundSession(may_be_this_machine=server.is_on_this_machine)
    session = _GuardedRequests(outbound, token_of(server), server.name, left_s)
    try:
        # The token is not given to plexapi: it would put it into addresses of pictures.
        return PlexApiServer(url, token=None, session=session, timeout=int(TIMEOUT_S))
    except (PlexApiException, PlexProblem, requests.RequestException) as error:
        raise plexapi_problem(error, server.name) from None


def plexapi_problem(error: Exception, name: str) -> PlexProblem:
    """What went wrong, for people; texts of plexapi carry addresses and pages of HTML."""
    if isinstance(error, PlexProblem):
        return error
    for kind, status in ((Unauthorized, 401), (NotFound, 404), (BadRequest, 400)):
        if isinstance(error, kind):
            return status_problem(_status_in(error) or status, name)
    return PlexProblem("network", f"{name} cannot be reached.")


def _status_in(error: Exception) -> int:
    """plexapi writes "(503) service_unavailable; …"."""
    found = str(error)[1:4]
    return int(found) if found.isdigit() else 0


class _GuardedRequests(requests.Session):
    """What plexapi takes for a session of requests; calls go out through OutboundSession."""

    def __init__(
        self, outbound: OutboundSession, token: str, name: str, left_s: Callable[[], float]
    ) -> None:
        super().__init__()
        self._outbound = outbound
        self._name, self._left_s = name, left_s
        self._own_headers = {**plex_headers(token), "Accept": "application/xml"}

    def request(self, method: Any, url: Any, **given: Any) -> requests.Response:  # type: ignore[override]  # a part of them is all that plexapi uses
        headers = {
            name: value
            for name, value in (given.get("headers") or {}).items()
            if not name.lower().startswith("x-plex-") or "container" in name.lower()
        }
        timeout_s = min(TIMEOUT_S, self._left_s())
        if timeout_s <= 0:
            raise out_of_time(self._name)
        try:
            reply = self._outbound.call(
                str(method), str(url), headers={**headers, **self._own_headers},
                params=given.get("params"), data=given.get("data"), timeout_s=timeout_s,
            )  # fmt: skip
        except OutboundProblem as problem:
            raise PlexProblem("network", problem.text) from None
        response = requests.Response()
        response.status_code = reply.status
        response.headers.update(reply.headers)
        response._content = reply.body
        response.encoding = "utf-8"
        response.url = str(url)
        return response

    def close(self) -> None:
        self._outbound.close()
        super().close()
