"""report: what the stages found, for people: a page, a text for a pull request, a short table."""
