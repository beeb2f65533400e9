"""Addresses of the insights pages."""

from django.urls import path

from mediaflow.insights import views

urlpatterns = [
    path("insights/", views.insights, name="insights"),
    path("insights/list/", views.insight_list, name="insight_list"),
    path("insights/runs/", views.insight_runs, name="insight_runs"),
    path("insights/look/", views.look_again, name="look_again"),
    path("insights/queue/", views.insight_queue, name="insight_queue"),
    path("insights/group/<int:recommendation_id>/", views.insight_group, name="insight_group"),
    path("insights/<slug:verb>/ask/", views.decide_ask, name="decide_ask"),
    path("insights/<slug:verb>/", views.decide_apply, name="decide_apply"),
]
