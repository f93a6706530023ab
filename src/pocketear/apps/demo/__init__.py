"""demo: the .tflite that ships, in a browser on this machine, through a client not our own."""
