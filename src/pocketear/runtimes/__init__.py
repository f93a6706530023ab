"""runtimes: a model file enters; a function from windows to scores leaves."""
