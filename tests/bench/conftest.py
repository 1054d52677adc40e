"""Tests of the benchmark: the one that compiles its load generator needs gcc, see tests/system_packages.py."""

from __future__ import annotations

from tests.system_packages import pytest_runtest_setup

__all__ = ["pytest_runtest_setup"]
