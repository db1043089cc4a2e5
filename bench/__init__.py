"""Commands that print the numbers of README.md and docs/."""
