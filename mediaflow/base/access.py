"""Who may do what: decorators for views that change something.

A viewer looks, an operator queues and undoes, an admin does all. That everybody is signed in is the
business of `mediaflow.accounts.middleware.LoginRequiredMiddleware`; these only look at the role.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http.response import HttpResponseBase

P = ParamSpec("P")


def operator_required(
    view: Callable[Concatenate[Any, P], HttpResponseBase],
) -> Callable[Concatenate[Any, P], HttpResponseBase]:
    """Answer 403 to anybody who may not queue, cancel or undo."""
    return _role_required(view, "is_operator", "operator")


def admin_required(
    view: Callable[Concatenate[Any, P], HttpResponseBase],
) -> Callable[Concatenate[Any, P], HttpResponseBase]:
    """Answer 403 to anybody who may not change libraries, presets, settings or people."""
    return _role_required(view, "is_admin", "admin")


def _role_required(
    view: Callable[Concatenate[Any, P], HttpResponseBase], test: str, role: str
) -> Callable[Concatenate[Any, P], HttpResponseBase]:
    @wraps(view)
    def guarded(request: Any, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if getattr(request.user, test, False):
            return view(request, *args, **kwargs)
        if getattr(request, "htmx", None):
            # 204 would look like success to the person who clicked; 403 with a toast says why.
            response = HttpResponse(status=403)
            response.headers["HX-Trigger"] = (
                f'{{"mf:toast": {{"level": "error", "text": "Only an {role} may do that."}}}}'
            )
            return response
        raise PermissionDenied(f"Only an {role} may do that.")

    guarded.needs_role = role  # type: ignore[attr-defined]  # read by the test that walks the URLs
    return guarded
