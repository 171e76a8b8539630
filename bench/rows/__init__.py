"""One question a file; each defines ``ROW``."""
