"""What happens to accounts: first admin, new people, roles, passwords, one-time links."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from mediaflow.accounts.models import ResetLink, Role, User
from mediaflow.base.audit import record_audit
from mediaflow.base.models import Setting

SETUP_KEY = "setup_token_digest"
RESET_LINK_HOURS = 48


class AccountProblem(Exception):
    """Something a person asked for that cannot be done; the text is shown to them."""


def is_set_up() -> bool:
    """True once there is an admin who can sign in."""
    return User.objects.filter(role=Role.ADMIN, is_active=True).exists()


def make_setup_token() -> str:
    """A fresh one-time token; the one before stops working. Only its digest is stored."""
    token = secrets.token_urlsafe(24)
    Setting.objects.update_or_create(key=SETUP_KEY, defaults={"value": _digest(token)})
    return token


def is_setup_token(token: str) -> bool:
    stored = Setting.objects.filter(key=SETUP_KEY).values_list("value", flat=True).first()
    return isinstance(stored, str) and secrets.compare_digest(stored, _digest(token))


def create_first_admin(*, token: str, username: str, password: str, address: str) -> User:
    """Use up the token and make the first admin, in one transaction.

    Two at once: the one whose DELETE meets the row wins, the other gets AccountProblem.
    """
    with transaction.atomic():
        used, _ = Setting.objects.filter(key=SETUP_KEY, value=_digest(token)).delete()
        if not used or is_set_up():
            raise AccountProblem("This link was used already, or a newer one was printed.")
        user = User.objects.create_user(username, password=password, role=Role.ADMIN)
    record_audit("account.first_admin", actor=user, subject=username, address=address)
    return user


def add_user(*, username: str, role: str, actor: User) -> tuple[User, str]:
    """A person without a password, and the token of the link with which they set one."""
    user = User.objects.create_user(username, password=None, role=role)
    record_audit("account.add", actor=actor, subject=username, detail=f"role {role}")
    return user, make_reset_token(user=user, actor=actor)


def change_role(*, user: User, role: str, actor: User) -> None:
    """Raises AccountProblem rather than leave nobody who may do everything."""
    with transaction.atomic():
        _keep_an_admin(user, stays_admin=role == Role.ADMIN)
        before, user.role = user.role, role
        user.save(update_fields=["role"])
    record_audit("account.role", actor=actor, subject=user.username, detail=f"{before} to {role}")


def set_active(*, user: User, is_active: bool, actor: User) -> None:
    """Raises AccountProblem rather than leave nobody who may do everything."""
    with transaction.atomic():
        _keep_an_admin(user, stays_admin=is_active)
        user.is_active = is_active
        user.save(update_fields=["is_active"])
    verb = "account.activate" if is_active else "account.deactivate"
    record_audit(verb, actor=actor, subject=user.username)


def make_reset_token(*, user: User, actor: User) -> str:
    """Token of a link with which `user` sets a password; older links stop working."""
    token = secrets.token_urlsafe(24)
    with transaction.atomic():
        ResetLink.objects.filter(user=user).delete()
        ResetLink.objects.create(digest=_digest(token), user=user)
    record_audit("account.reset_link", actor=actor, subject=user.username)
    return token


def find_reset_user(token: str) -> User | None:
    """Whose link this is; None when it is unknown, used, too old or the account is off."""
    oldest = timezone.now() - timedelta(hours=RESET_LINK_HOURS)
    link = (
        ResetLink.objects.filter(digest=_digest(token), created_at__gte=oldest)
        .select_related("user")
        .first()
    )
    return link.user if link and link.user.is_active else None


def set_password_by_link(*, token: str, password: str, address: str) -> User:
    """Use up the link. Raises AccountProblem when somebody else was faster."""
    with transaction.atomic():
        user = find_reset_user(token)
        used, _ = ResetLink.objects.filter(digest=_digest(token)).delete()
        if user is None or not used:
            raise AccountProblem("This link was used already or is too old. Ask for a new one.")
        user.set_password(password)
        user.save(update_fields=["password"])
    record_audit("account.password", actor=user, subject=user.username, address=address)
    return user


def _keep_an_admin(user: User, *, stays_admin: bool) -> None:
    """Called inside a transaction: locks the admins, so that two cannot demote each other."""
    admins = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True)
    others = [admin.pk for admin in admins if admin.pk != user.pk]
    if not others and user.is_admin and not stays_admin:
        raise AccountProblem("This is the last admin. Make somebody else an admin first.")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
