"""What is on the disk: walk, identity, moves, freezing, watching."""
