#!/bin/sh
# Compiles the Kotlin sources and runs their tests on this machine's JVM, with the shared vectors.
# Needs a JDK and Maven; no Android SDK, no Gradle.
set -eu
cd "$(dirname "$0")/../.."
exec uv run python -m pytest tests/mobile -rs "$@"
