"""Reads what came back: raw mail or a bare SMTP reply in, plain data (``model.reading``) out.

Pure: no network, clock or randomness. Only ``rulefile`` and ``reload`` open files, and only rule files.
"""
