"""Originals in the trash: where they lie, how long, when they may go."""
