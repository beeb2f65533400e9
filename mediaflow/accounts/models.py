"""People: own user model from the first migration, three roles."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils import timezone


class Role(models.TextChoices):
    ADMIN = "admin", "Admin"
    OPERATOR = "operator", "Operator"
    VIEWER = "viewer", "Viewer"


class Theme(models.TextChoices):
    SYSTEM = "system", "System"
    DARK = "dark", "Dark"
    LIGHT = "light", "Light"


class PersonManager(UserManager["User"]):
    """Django's manager, with `role` in place of its two staff flags."""

    def create_superuser(
        self,
        username: str,
        email: str | None = None,
        password: str | None = None,
        **extra_fields: Any,
    ) -> User:
        """What `manage.py createsuperuser` calls: an admin."""
        extra_fields["role"] = Role.ADMIN
        return self.create_user(username, email, password, **extra_fields)

    def create_user(
        self,
        username: str,
        email: str | None = None,
        password: str | None = None,
        **extra_fields: Any,
    ) -> User:
        """A person; a viewer unless `role` says more."""
        user: User = self.model(
            username=self.model.normalize_username(username),
            email=self.normalize_email(email),
            **extra_fields,
        )
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractUser):
    """A person. `role` decides: a viewer looks, an operator queues and undoes, an admin does all.

    Django's `is_staff` and `is_superuser` are no columns here but follow from the role, so that the
    two can never disagree.
    """

    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    theme = models.CharField(max_length=6, choices=Theme, default=Theme.SYSTEM)
    library_columns = models.JSONField(default=list, blank=True)
    email = models.EmailField(blank=True)

    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[PersonManager] = PersonManager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="role_valid", condition=models.Q(role__in=Role.values)),
        ]

    @property
    def is_operator(self) -> bool:
        """May queue, cancel, undo."""
        return self.is_active and self.role in {Role.ADMIN, Role.OPERATOR}

    @property
    def is_admin(self) -> bool:
        """May change libraries, presets, settings, users; purge; restore."""
        return self.is_active and self.role == Role.ADMIN

    @property
    def is_staff(self) -> bool:  # type: ignore[override]  # a column in Django's model
        return self.is_admin

    @property
    def is_superuser(self) -> bool:  # type: ignore[override]  # a column in Django's model
        return self.is_admin


class ResetLink(models.Model):
    """A one-time link with which a person sets a password; only its SHA-256 is stored."""

    digest = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="reset_links")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"link for {self.user_id}"
