"""What the commands share: input, progress, summaries."""
