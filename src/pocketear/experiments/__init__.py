"""experiments: runs, registered versions and promotion in MLflow. Nothing that ships needs it."""
