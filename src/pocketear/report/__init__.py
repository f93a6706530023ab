"""report: what the stages found enters; a page, a text for a pull request and a short table leave."""
