"""The vocabulary every other package shares: plain data and pure functions, standard library only.

Nothing here reads a clock, a file, a socket or the environment; time, keys and randomness are arguments.
"""
