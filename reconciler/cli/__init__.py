"""The command line: one module a command group; it parses, calls and renders."""

from reconciler.cli.main import main

__all__ = ["main"]
