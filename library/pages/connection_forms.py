"""Forms of the connections pages: Sonarr and Radarr servers, webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from library.models import ArrServer, PlexAccount, Webhook
from library.webhooks.registration import accounts_with_webhooks
from mediaflow.base.form_words import PlainWords, clean_name
from mediaflow.base.outbound import OutboundProblem, check_url

if TYPE_CHECKING:
    ArrModelForm = forms.ModelForm[ArrServer]
    WebhookModelForm = forms.ModelForm[Webhook]
else:
    ArrModelForm = WebhookModelForm = forms.ModelForm


ARR_KINDS = [("radarr", "Radarr"), ("sonarr", "Sonarr")]
HOOK_KINDS = [("plex", "Plex"), *ARR_KINDS]


class ArrForm(PlainWords, ArrModelForm):
    """One Sonarr or Radarr. The key is written, never shown."""

    kind = forms.ChoiceField(label="Program", choices=ARR_KINDS)
    api_key = forms.CharField(
        label="API key",
        max_length=200,
        error_messages={"required": "Give the API key of the server."},
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    class Meta:
        model = ArrServer
        fields: ClassVar[list[str]] = ["kind", "name", "url", "is_on_this_machine", "is_enabled"]
        labels: ClassVar[dict[str, str]] = {
            "url": "Address",
            "is_on_this_machine": "It runs on this machine",
            "is_enabled": "Tell it about replaced files",
        }
        help_texts: ClassVar[dict[str, str]] = {
            "url": "With its base path, for example http://nas:8989 or http://nas/sonarr.",
            "is_on_this_machine": "Addresses of this machine itself are refused otherwise.",
        }
        error_messages: ClassVar[dict[str, Any]] = {
            "name": {"unique": "There is a server of that name; choose another."}
        }

    field_order = [
        "kind", "name", "url", "api_key", "is_on_this_machine", "is_enabled",
    ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        key = self.fields["api_key"]
        if self.instance.api_key_encrypted:
            key.required = False
            key.help_text = (
                "Leave this empty to keep the stored one. A new address needs the key typed again."
            )
        else:
            key.help_text = "In Sonarr or Radarr under Settings, General, Security."

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"])

    def clean_url(self) -> str:
        try:
            return check_url(self.cleaned_data["url"])
        except OutboundProblem as problem:
            raise ValidationError(problem.text) from None

    def clean_api_key(self) -> str:
        key: str = self.cleaned_data["api_key"].strip()
        if not key.isascii() or not key.isprintable():
            raise ValidationError("An API key is letters and digits; copy it once more.")
        return key


class WebhookForm(PlainWords, WebhookModelForm):
    """A new webhook: who will call it."""

    kind = forms.ChoiceField(label="Who calls it", choices=HOOK_KINDS)
    account = forms.ModelChoiceField(
        PlexAccount.objects.none(),
        label="Register it at Plex for",
        required=False,
        empty_label="Nobody: I give Plex the address myself",
        help_text="Addresses of other programs stay in the account's list.",
    )

    class Meta:
        model = Webhook
        fields: ClassVar[list[str]] = ["kind", "name"]
        help_texts: ClassVar[dict[str, str]] = {"name": "For this list, for example Radarr 4K."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = accounts_with_webhooks()
        if accounts.exists():
            account = self.fields["account"]
            account.queryset = accounts  # type: ignore[attr-defined]  # a ModelChoiceField
        else:
            del self.fields["account"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("account") and cleaned.get("kind") != "plex":
            self.add_error(
                "account", "Only Plex calls what is registered there; choose nobody, or Plex above."
            )
        return cleaned

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"])
