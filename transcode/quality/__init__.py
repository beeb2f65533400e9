"""Reach a promised quality: samples of a film are encoded and scored until the CRF is found."""
