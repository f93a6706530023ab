"""experiments: runs, registered versions and promotion in MLflow; nothing that ships depends on them."""
