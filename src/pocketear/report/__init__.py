"""report: what the stages found enters; pages and tables for people leave."""
