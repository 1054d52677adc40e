"""Long fault tests: ``python -m tests.torture [--only NAME] [--seed N] [--tries N]``; one module a topic.

A torture test is a function marked ``@torture`` in any module of this package. It takes ``seed`` and ``tries``
and returns a Result; ``lost`` and ``wrong`` must be 0, and its negative control is part of it.
"""
