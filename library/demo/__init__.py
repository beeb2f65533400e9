"""Sample clips and films, made on the spot."""
