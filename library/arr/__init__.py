"""Sonarr and Radarr: told to look at a series or a film again."""
