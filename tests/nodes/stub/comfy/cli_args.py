"""Command line of the host."""

from types import SimpleNamespace

args = SimpleNamespace(disable_metadata=False)
