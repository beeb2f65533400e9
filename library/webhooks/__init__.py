"""Secret addresses that Plex, Sonarr and Radarr call, and what follows from a call."""
