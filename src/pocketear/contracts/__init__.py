"""contracts: what stages hand each other: the types of their reports, the names of their files."""
