"""One attempt of one job, from claim to outcome."""
