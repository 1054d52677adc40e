"""The command line, the supervisor and its workers: the only place where the parts are put together."""

__version__ = "0.1.0"
