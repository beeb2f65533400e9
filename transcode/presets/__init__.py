"""Presets: what they say, the built-in ones, what people do with them."""
