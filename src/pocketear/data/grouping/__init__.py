"""data/grouping: decoded clips and their names enter; groups, and folds of whole groups, leave."""
