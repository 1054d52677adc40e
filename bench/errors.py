"""Why a comparison cannot be made."""

from __future__ import annotations


class BenchError(Exception):
    """A comparison is void: something failed, or what was answered is not what was stored."""


class MissingProgramError(Exception):
    """A program is not installed on this machine, or cannot be run here; the text says so."""
