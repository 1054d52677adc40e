"""Exports: tables of what the store knows as CSV, NDJSON or Parquet files, written with memory flat.

``tables`` says what columns each has, the modules named ``*_rows`` where their rows come from, those named ``*_file``
how they are written; ``run`` puts one export together, ``__main__`` is the child process in which the console has
them run, ``launcher`` how it starts that.
"""
