"""data/audit: the clip table enters; what tells its labels apart without being sound leaves."""
