"""Addresses of where it is done: encoders of this machine."""

from django.urls import path

from servers import views

app_name = "servers"
urlpatterns = [
    path("servers/encoders/", views.encoder_list, name="encoder_list"),
    path("servers/encoders/check/", views.encoder_check, name="encoder_check"),
]
