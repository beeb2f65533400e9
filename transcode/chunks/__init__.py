"""Films encoded in chunks: cut at keyframes, each proven picture by picture, joined as they are."""
