"""Which test shows which row of the mission: ``python -m tests.coverage`` writes docs/coverage.md."""
