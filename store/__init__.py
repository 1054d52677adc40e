"""The embedded event store: facts, and the state folded from them, in LMDB.

Facts and everything they change go into one transaction, so that reports are true at once and a crash can
leave no half (design decision 3). Only this package knows LMDB.
"""
