"""A simulated world around a real Yamabiko: it knows the truth it makes, and compares every figure with it."""
