"""Addresses of the analytics page and its documents."""

from django.urls import path

from mediaflow.analytics import views

urlpatterns = [
    path("analytics/", views.analytics, name="analytics"),
    path("analytics/report.json", views.report_json, name="report_json"),
    path("analytics/report.pdf", views.report_pdf, name="report_pdf"),
    path("analytics/count/", views.count_again, name="count_again"),
]
