"""phone: what one .tflite costs on a phone class, counted on any Linux machine without a phone.

    python -m pocketear.phone.count MODEL.tflite [CLASS ...]     instructions, by kind and by op

setup.py makes the tools, harness.py runs one file under emulation, count.py splits the
instructions, estimate.py turns them into milliseconds; host, arm64, adb and macos are what
reports/latency.json is filled from. docs/phones.md says what each figure means.
"""
