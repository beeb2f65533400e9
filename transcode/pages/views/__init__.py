"""The pages of what is done to films: parse, authorise, call, render."""
