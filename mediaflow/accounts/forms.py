"""Forms of the account pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError

from mediaflow.accounts.models import Role, Theme, User

NAME_LENGTH = User._meta.get_field("username").max_length or 150


class LoginForm(forms.Form):
    username = forms.CharField(
        label="Name",
        max_length=NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label="Password",
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class NewPasswordForm(forms.Form):
    """A new password for a person, checked by Django's validators."""

    password = forms.CharField(
        label="Password",
        max_length=1000,
        strip=False,
        help_text="At least 10 characters; length counts, symbols do not.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    repeated = forms.CharField(
        label="Password again",
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        password, repeated = cleaned.get("password"), cleaned.get("repeated")
        if password and repeated and password != repeated:
            self.add_error("repeated", "The two passwords differ.")
        elif password:
            try:
                password_validation.validate_password(password, self.person())
            except ValidationError as error:
                self.add_error("password", error)
        return cleaned

    def person(self) -> User | None:
        """Whom the password must not resemble."""
        return self.user


def _username_field(*, is_other: bool = False) -> forms.CharField:
    field = User._meta.get_field("username")
    return forms.CharField(
        label="Name",
        max_length=NAME_LENGTH,
        validators=list(field.validators),
        widget=forms.TextInput(attrs={"autocomplete": "off" if is_other else "username"}),
    )


class SetupForm(NewPasswordForm):
    """The first admin."""

    username = _username_field()
    field_order = ("username", "password", "repeated")

    def clean_username(self) -> str:
        return _free_username(self.cleaned_data["username"])

    def person(self) -> User | None:
        return User(username=self.cleaned_data.get("username", ""))


class PasswordChangeForm(NewPasswordForm):
    """One's own password: the old one first."""

    current = forms.CharField(
        label="Current password",
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ("current", "password", "repeated")

    def clean_current(self) -> str:
        current: str = self.cleaned_data["current"]
        if self.user is None or not self.user.check_password(current):
            raise ValidationError("That is not your current password.")
        return current


class UserAddForm(forms.Form):
    username = _username_field(is_other=True)
    role = forms.ChoiceField(
        label="Role",
        choices=Role.choices,
        initial=Role.VIEWER,
        help_text="A viewer looks; an operator queues and undoes; an admin does everything.",
    )

    def clean_username(self) -> str:
        return _free_username(self.cleaned_data["username"])


class RoleForm(forms.Form):
    role = forms.ChoiceField(label="Role", choices=Role.choices)


class ThemeForm(forms.Form):
    theme = forms.ChoiceField(label="Theme", choices=Theme.choices)


def _free_username(username: str) -> str:
    username = User.normalize_username(username)
    if User.objects.filter(username__iexact=username).exists():
        raise ValidationError("Somebody has that name already.")
    return username
