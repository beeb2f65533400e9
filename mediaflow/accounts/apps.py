from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "mediaflow.accounts"
    label = "accounts"
    verbose_name = "Accounts"
