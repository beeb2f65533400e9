"""Signing in and out, the first run, one's own account, the list of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import auth, messages
from django.contrib.auth.decorators import login_not_required
from django.db import IntegrityError
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mediaflow.accounts import limits, services
from mediaflow.accounts.forms import (
    LoginForm,
    NewPasswordForm,
    PasswordChangeForm,
    RoleForm,
    SetupForm,
    ThemeForm,
    UserAddForm,
)
from mediaflow.accounts.models import Role, User
from mediaflow.accounts.proxies import visitor_address
from mediaflow.base.access import admin_required
from mediaflow.base.audit import record_audit
from mediaflow.base.htmx import absolute_url

if TYPE_CHECKING:
    from django.http import HttpRequest

    from mediaflow.base.htmx import HtmxHttpRequest

WRONG_PASSWORD = "That name and password do not belong together."
BACKEND = "django.contrib.auth.backends.ModelBackend"


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    after = _safe_next(request)
    if request.method == "GET" and request.user.is_authenticated:
        return HttpResponseRedirect(after)
    if not services.is_set_up():
        return redirect("accounts:setup")
    form = LoginForm(request.POST or None)
    if form.is_valid() and (user := _authenticated(request, form)):
        auth.login(request, user)
        return HttpResponseRedirect(after)
    status = 422 if request.method == "POST" else 200
    return render(request, "accounts/login.html", {"form": form, "next": after}, status=status)


def _authenticated(request: HttpRequest, form: LoginForm) -> User | None:
    """The person, or None with the reason on the form. Unknown names cost the same time."""
    username = form.cleaned_data["username"]
    attempt = limits.begin_attempt(username=username, address=visitor_address(request))
    if attempt.retry_at is not None:
        minutes = attempt.minutes_left
        form.add_error(
            None,
            f"Too many attempts. Try again in {minutes} minute{'' if minutes == 1 else 's'}.",
        )
        return None
    user = auth.authenticate(request, username=username, password=form.cleaned_data["password"])
    if not isinstance(user, User):
        form.add_error(None, WRONG_PASSWORD)
        return None
    limits.succeed(attempt)
    return user


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    record_audit("logout", actor=request.user, address=visitor_address(request))
    auth.logout(request)
    return redirect("accounts:login")


@login_not_required
@never_cache
@sensitive_post_parameters("password", "repeated")
@require_http_methods(["GET", "POST"])
def setup(request: HttpRequest, token: str = "") -> HttpResponse:
    if services.is_set_up():
        return redirect("accounts:login")
    if not services.is_setup_token(token):
        return render(request, "accounts/setup_link.html", {"was_wrong": bool(token)}, status=403)
    form = SetupForm(request.POST or None)
    if form.is_valid() and (user := _first_admin(request, form, token)):
        auth.login(request, user, backend=BACKEND)
        return redirect("home")
    status = 422 if request.method == "POST" else 200
    return render(request, "accounts/setup.html", {"form": form}, status=status)


def _first_admin(request: HttpRequest, form: SetupForm, token: str) -> User | None:
    try:
        return services.create_first_admin(
            token=token,
            username=form.cleaned_data["username"],
            password=form.cleaned_data["password"],
            address=visitor_address(request),
        )
    except services.AccountProblem as problem:
        form.add_error(None, str(problem))
    except IntegrityError:
        form.add_error("username", "Somebody has that name already.")
    return None


@login_not_required
@never_cache
@sensitive_post_parameters("password", "repeated")
@require_http_methods(["GET", "POST"])
def password_link(request: HttpRequest, token: str) -> HttpResponse:
    user = services.find_reset_user(token)
    if user is None:
        return render(request, "accounts/link_gone.html", status=404)
    form = NewPasswordForm(request.POST or None, user=user)
    if form.is_valid():
        try:
            user = services.set_password_by_link(
                token=token,
                password=form.cleaned_data["password"],
                address=visitor_address(request),
            )
        except services.AccountProblem as problem:
            form.add_error(None, str(problem))
        else:
            auth.login(request, user, backend=BACKEND)
            return redirect("home")
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "person": user}
    return render(request, "accounts/password_link.html", context, status=status)


@never_cache
@sensitive_post_parameters("current", "password", "repeated")
@require_http_methods(["GET", "POST"])
def account(request: HtmxHttpRequest) -> HttpResponse:
    form = PasswordChangeForm(request.POST or None, user=request.user)
    if form.is_valid():
        request.user.set_password(form.cleaned_data["password"])
        request.user.save(update_fields=["password"])
        auth.update_session_auth_hash(request, request.user)
        record_audit("account.password", actor=request.user, address=visitor_address(request))
        messages.success(request, "Your password is changed. Other devices are signed out.")
        return redirect("accounts:account")
    status = 422 if request.method == "POST" else 200
    return render(request, "accounts/account.html", {"form": form}, status=status)


@require_POST
def theme(request: HtmxHttpRequest) -> HttpResponse:
    form = ThemeForm(request.POST)
    if not form.is_valid():
        return HttpResponse("Choose system, light or dark.", status=422, content_type="text/plain")
    request.user.theme = form.cleaned_data["theme"]
    request.user.save(update_fields=["theme"])
    if request.htmx:
        return HttpResponse(status=204)
    return HttpResponseRedirect(_safe_next(request))


@admin_required
@require_GET
def user_list(request: HtmxHttpRequest) -> HttpResponse:
    return _user_page(request, UserAddForm())


@admin_required
@require_POST
def user_add(request: HtmxHttpRequest) -> HttpResponse:
    form = UserAddForm(request.POST)
    if not form.is_valid():
        return _user_page(request, form, status=422)
    user, token = services.add_user(
        username=form.cleaned_data["username"], role=form.cleaned_data["role"], actor=request.user
    )
    return _user_page(request, UserAddForm(), person=user, link=_link(request, token))


@admin_required
@require_POST
def user_role(request: HtmxHttpRequest, user_id: int) -> HttpResponse:
    user = get_object_or_404(User, pk=user_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose viewer, operator or admin.")
        return redirect("accounts:user_list")
    try:
        services.change_role(user=user, role=form.cleaned_data["role"], actor=request.user)
    except services.AccountProblem as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, f"{user.username} is now {user.get_role_display()}.")
    return redirect("accounts:user_list")


@admin_required
@require_POST
def user_active(request: HtmxHttpRequest, user_id: int) -> HttpResponse:
    user = get_object_or_404(User, pk=user_id)
    is_active = request.POST.get("is_active") == "1"
    try:
        services.set_active(user=user, is_active=is_active, actor=request.user)
    except services.AccountProblem as problem:
        messages.error(request, str(problem))
    else:
        words = "may sign in again" if is_active else "is signed out and may not sign in"
        messages.success(request, f"{user.username} {words}.")
    return redirect("accounts:user_list")


@admin_required
@never_cache
@require_POST
def user_reset(request: HtmxHttpRequest, user_id: int) -> HttpResponse:
    user = get_object_or_404(User, pk=user_id, is_active=True)
    token = services.make_reset_token(user=user, actor=request.user)
    return _user_page(request, UserAddForm(), person=user, link=_link(request, token))


def _user_page(
    request: HtmxHttpRequest,
    form: UserAddForm,
    *,
    person: User | None = None,
    link: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "people": User.objects.order_by("-is_active", "username"),
        "roles": Role.choices,
        "form": form,
        "linked_person": person,
        "link": link,
        "link_hours": services.RESET_LINK_HOURS,
    }
    return render(request, "accounts/user_list.html", context, status=status)


def _link(request: HtmxHttpRequest, token: str) -> str:
    return absolute_url(request, reverse("accounts:password_link", args=[token]))


def _safe_next(request: HttpRequest) -> str:
    """Where to go afterwards: an address of this site, else the home page."""
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else "/"
