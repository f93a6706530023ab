#!/bin/sh
# swift_test: builds and tests mobile/ios without Apple's frameworks; a warning is an error.
# With the Swift on PATH, else with Debian 13's in a root of its own under .pocketear, made once.
set -eu
cd "$(dirname "$0")/.."
kept=.pocketear/swift
flags="-Xswiftc -warnings-as-errors"
if command -v swift > /dev/null; then
  # shellcheck disable=SC2086  # words on purpose
  exec swift test --package-path mobile/ios --scratch-path "$kept" $flags
fi
if [ "$(id -u)" != 0 ] || ! command -v mmdebstrap > /dev/null; then
  echo "swift-test: cannot run here: no Swift (swift.org/install), and to fetch Debian's it takes root and mmdebstrap"
  exit 1
fi
root=.pocketear/swift-root
if [ ! -d "$root" ]; then
  rm -rf "$root.part"
  needs=swiftlang,libc6-dev,libstdc++-14-dev,libgcc-14-dev,binutils-gold,git,ca-certificates
  mmdebstrap --quiet --variant=minbase --include="$needs" trixie "$root.part"
  mv "$root.part" "$root"
fi
mkdir -p "$root/work"
rm -rf "$root/work/ios" "$root/work/vectors"
cp -Rp mobile/ios mobile/vectors "$root/work"
# its libraries are found by /proc, which is there for this process alone
export root flags
# shellcheck disable=SC2016  # for the shells inside
exec unshare --mount sh -c '
  mount -t proc proc "$root/proc"
  exec chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin \
    swift test --package-path /work/ios --scratch-path /work/build $flags'
