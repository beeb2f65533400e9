"""What others are told after a swap or an undo: Plex, Sonarr, Radarr. Nothing here fails a job.

outbox.py    entries: claimed, tried with back-off, given up, tried again
worker.py    the consumer's thread that works on them
fan_out.py   one swap becomes one entry for each server that has to know
"""
