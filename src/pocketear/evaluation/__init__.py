"""evaluation: scores enter; how good they are, and how equal, leaves."""
