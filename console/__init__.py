"""The HTTP API of operators and sending systems. Gets plain values: reads no settings, imports no other server."""
