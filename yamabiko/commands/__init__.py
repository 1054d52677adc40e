"""The subcommands of ``yamabiko``, one file each."""
