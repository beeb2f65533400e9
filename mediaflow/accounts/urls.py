from django.urls import path

from mediaflow.accounts import views

app_name = "accounts"
urlpatterns = [
    path("login/", views.login, name="login"),
    path("logout/", views.logout, name="logout"),
    path("setup/", views.setup, name="setup"),
    path("setup/<str:token>/", views.setup, name="setup"),
    path("password/<str:token>/", views.password_link, name="password_link"),
    path("account/", views.account, name="account"),
    path("account/theme/", views.theme, name="theme"),
    path("people/", views.user_list, name="user_list"),
    path("people/add/", views.user_add, name="user_add"),
    path("people/<int:user_id>/role/", views.user_role, name="user_role"),
    path("people/<int:user_id>/active/", views.user_active, name="user_active"),
    path("people/<int:user_id>/reset/", views.user_reset, name="user_reset"),
]
