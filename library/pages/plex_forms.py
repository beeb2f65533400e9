"""Forms of the Plex pages: servers and path mappings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from library.folding import display_path
from library.models import PathMapping, PlexServer
from library.pages.hours_field import HoursField, hours_of
from library.plex.mapping import MappingProblem, check_local, check_source
from mediaflow.base.form_words import PlainWords
from mediaflow.base.outbound import OutboundProblem, check_url

if TYPE_CHECKING:
    PlexServerModelForm = forms.ModelForm[PlexServer]
    PathMappingModelForm = forms.ModelForm[PathMapping]
else:
    PlexServerModelForm = PathMappingModelForm = forms.ModelForm

_HERE = "Plex runs on this machine"
_HERE_HELP = "Addresses of this machine itself, such as 127.0.0.1, are refused otherwise."
_SECRET = {"autocomplete": "off", "spellcheck": "false"}


def clean_address(text: str) -> str:
    try:
        return check_url(text)
    except OutboundProblem as problem:
        raise ValidationError(problem.text) from None


def clean_token(text: str) -> str:
    token = text.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValidationError("A token is letters, digits and signs; copy it once more.")
    return token


class ServerAddForm(PlainWords, forms.Form):
    """A server by hand: where plex.tv's addresses do not work, or without an account."""

    url = forms.CharField(
        label="Address", max_length=300, help_text="For example http://192.168.1.20:32400."
    )
    token = forms.CharField(
        label="Token",
        max_length=1000,
        required=False,
        help_text="Not needed at an address that a signed-in account's server told Plex.",
        widget=forms.PasswordInput(attrs=_SECRET),
    )
    is_on_this_machine = forms.BooleanField(label=_HERE, required=False, help_text=_HERE_HELP)

    def clean_url(self) -> str:
        return clean_address(self.cleaned_data["url"])

    def clean_token(self) -> str:
        return clean_token(self.cleaned_data["token"])


class ServerForm(PlainWords, PlexServerModelForm):
    """Settings of one server. The token is written, never shown."""

    address = forms.CharField(
        label="Address",
        max_length=300,
        required=False,
        help_text="Empty: the best of those that the server tells plex.tv.",
    )
    token = forms.CharField(
        label="Token",
        max_length=1000,
        required=False,
        help_text=(
            "Leave this empty to keep the stored one. A new address needs the token typed again."
            " A typed token stays until you change it or the server refuses it."
        ),
        widget=forms.PasswordInput(attrs=_SECRET),
    )
    sync_hours = HoursField(label="Sync every", least=0, help_text="In hours; 0: only by hand.")

    class Meta:
        model = PlexServer
        fields: ClassVar[list[str]] = ["is_enabled", "is_on_this_machine", "analyses_after_sync"]
        labels: ClassVar[dict[str, str]] = {
            "is_enabled": "Use this server",
            "is_on_this_machine": _HERE,
            "analyses_after_sync": "Look for recommendations after each sync",
        }
        help_texts: ClassVar[dict[str, str]] = {"is_on_this_machine": _HERE_HELP}

    field_order = [
        "is_enabled", "address", "is_on_this_machine", "token", "sync_hours",
        "analyses_after_sync",
    ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        server = self.instance
        self.fields["address"].initial = server.url if server.is_url_manual else ""
        self.fields["sync_hours"].initial = hours_of(server.sync_interval_s)

    def clean_address(self) -> str:
        text: str = self.cleaned_data["address"].strip()
        return clean_address(text) if text else ""

    def clean_token(self) -> str:
        return clean_token(self.cleaned_data["token"])

    def clean_sync_hours(self) -> float:
        hours: float = self.cleaned_data["sync_hours"]
        if 0 < hours < 0.1:
            raise ValidationError("Give at least 0.1 hours, or 0 for only by hand.")
        return hours


class MappingForm(PlainWords, PathMappingModelForm):
    """One path mapping, of one Plex server or for all."""

    local = forms.CharField(
        label="Folder here",
        max_length=1000,
        strip=False,
        help_text="As this machine sees it, for example /tank/films.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    class Meta:
        model = PathMapping
        fields: ClassVar[list[str]] = ["plex_server", "source", "local"]
        labels: ClassVar[dict[str, str]] = {"plex_server": "For", "source": "Folder in Plex"}
        help_texts: ClassVar[dict[str, str]] = {
            "source": "As Plex writes it: /data/films, D:\\Films or \\\\nas\\films."
        }
        widgets: ClassVar[dict[str, Any]] = {
            "source": forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
        }

    field_order = ["plex_server", "source", "local"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owner = self.fields["plex_server"]
        owner.required = False
        owner.empty_label = "All servers"  # type: ignore[attr-defined]  # a ModelChoiceField

    def clean_source(self) -> str:
        source: str = self.cleaned_data["source"].strip()
        try:
            check_source(source)
        except MappingProblem as problem:
            raise ValidationError(str(problem)) from None
        return source

    def clean_local(self) -> str:
        local = os.fsencode(self.cleaned_data["local"].strip("\r\n"))
        try:
            self.instance.local_raw = check_local(local) or b"/"
        except MappingProblem as problem:
            raise ValidationError(str(problem)) from None
        return display_path(self.instance.local_raw)

    def clean(self) -> dict[str, Any]:
        """No constraint sees that /data and /data/ are the same, nor the mappings for all."""
        found = super().clean() or self.cleaned_data
        source = found.get("source")
        if source is not None:
            others = PathMapping.objects.filter(
                plex_server=found.get("plex_server"), arr_server=None
            ).exclude(pk=self.instance.pk)
            key = check_source(source).key
            if any(check_source(row.source).key == key for row in others):
                self.add_error("source", "There is a mapping of this folder already; change that.")
        return found
