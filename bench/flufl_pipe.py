"""The small script people put behind a pipe of their mail server: reads one mail, finds who bounced, notes it.

    flufl_pipe.py RESULTS < MAIL

Adds one line to the file RESULTS: the addresses that failed, comma-separated.
"""

from __future__ import annotations

import os
import sys
from email import message_from_binary_file

from flufl.bounce import scan_message


def main() -> None:
    """Read the mail on standard input."""
    message = message_from_binary_file(sys.stdin.buffer)
    addresses = sorted(str(address, "utf-8", "replace") for address in scan_message(message))
    # One write of O_APPEND: lines of processes that run at once do not mix.
    descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, ",".join(addresses).encode() + b"\n")
    os.close(descriptor)


if __name__ == "__main__":
    main()
