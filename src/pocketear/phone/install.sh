#!/bin/sh
# install: what the arm64 measurement needs from the system, where apt and root are at hand.
# Never fails: without it the latency stage lists arm64 as absent, with the reason, and the gate refuses.
set -u
packages=$(tr '\n' ' ' < "$(dirname "$0")/apt.txt")
for program in qemu-aarch64 aarch64-linux-gnu-gcc gcc; do
  command -v "$program" > /dev/null || missing=yes
done
[ -n "${missing:-}" ] || exit 0
if ! command -v apt-get > /dev/null; then
  echo "phone tools: no apt-get here; the arm64 measurement needs what Debian calls: $packages"
  exit 0
fi
if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2> /dev/null; then as_root="sudo"; else
  echo "phone tools: for the arm64 measurement, run: sudo apt-get install $packages"
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # words on purpose
{ $as_root apt-get update -qq && $as_root apt-get install -qq --no-install-recommends $packages; } > /dev/null ||
  echo "phone tools: apt-get failed; run: sudo apt-get install $packages"
