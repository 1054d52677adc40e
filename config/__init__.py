"""Settings and the shipped rule files. Only the command line and the supervisor read it."""
