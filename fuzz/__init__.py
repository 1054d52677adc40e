"""Fuzz targets: one module each, whose first line states what must hold. Run ``python -m fuzz.<name>``."""
