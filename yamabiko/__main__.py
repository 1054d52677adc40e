"""``python -m yamabiko`` is the ``yamabiko`` command."""

from yamabiko.cli import main

main()
