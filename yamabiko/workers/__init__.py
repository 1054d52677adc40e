"""What each kind of worker runs; ``yamabiko.worker`` runs it."""
