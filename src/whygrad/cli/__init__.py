"""The command line."""

from whygrad.cli.app import main

__all__ = ["main"]
