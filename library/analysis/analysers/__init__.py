"""One module for each kind of recommendation: what it looks for, and how it says so."""
