"""Rules and watch folders: what is queued by itself, within limits, every decision on record."""
