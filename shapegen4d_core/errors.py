"""Errors that reach people: one sentence each, saying what was given and what is accepted."""

from __future__ import annotations


class InputError(ValueError):
    """Input or setting that cannot be used; the message names it, what is accepted and what to change."""


class Cancelled(Exception):
    """Raised by a cancel check when the user asked a long run to stop."""
