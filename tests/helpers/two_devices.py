"""A program: the stage `train` on a machine whose processor TensorFlow takes for two devices."""

import tensorflow as tf

from pocketear.base import process
from pocketear.stages import train


def split_processor() -> None:
    """Before TensorFlow computes."""
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)


if __name__ == "__main__":
    split_processor()
    process.run(train.main)
