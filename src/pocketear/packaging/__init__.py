"""packaging: an accepted model file enters; what an app installs leaves."""
