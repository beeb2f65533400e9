#!/usr/bin/env python3
"""Runs MediaFlow's management commands; `mediaflow X` is the same thing once installed."""

from mediaflow.cli import main

if __name__ == "__main__":
    main()
