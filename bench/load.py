"""The load generators: small C programs beside this file, compiled when they are needed."""

from __future__ import annotations

from pathlib import Path

from bench.processes import find_program, output_of


def build_load(name: str, folder: Path) -> Path:
    """Compile ``name``.c into ``folder``; returns the program. Raises MissingProgramError without a compiler."""
    program = folder / name
    source = Path(__file__).with_name(f"{name}.c")
    output_of([find_program("gcc"), "-O2", "-D_GNU_SOURCE", "-o", str(program), str(source)], 60)
    return program
