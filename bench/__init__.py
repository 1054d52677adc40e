"""Speed compared with the best programs of each kind, on one machine in one run. See bench/README.md."""
