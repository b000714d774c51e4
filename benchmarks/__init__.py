"""One script per question."""
