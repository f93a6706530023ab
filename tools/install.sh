#!/bin/sh
# install: what comes from the system, where apt and root are at hand.
#   sh tools/install.sh run     what the arm64 measurement and the Android package need
#   sh tools/install.sh test    what some tests need besides
#   sh tools/install.sh services   what the tests of a team's servers need
# Never fails: what is missing is named, and the stage or test that needs it says so again.
set -u
have() { command -v "$1" > /dev/null; }
packages=""
want() { packages="$packages $1"; }
case "${1:-run}" in
  run)
    for program in qemu-aarch64 aarch64-linux-gnu-gcc gcc; do
      have "$program" || phone=missing
    done
    [ -z "${phone:-}" ] || want "$(tr '\n' ' ' < "$(dirname "$0")/../src/pocketear/phone/apt.txt")"
    have javac || want default-jdk-headless
    have mvn || want maven
    ;;
  test)
    have chromium || want chromium
    have aapt || want aapt
    have shellcheck || want shellcheck
    for package in android-framework-res libegl1 libgles2; do
      dpkg-query -W -f='${Status}' "$package" 2> /dev/null | grep -q "ok installed" || want "$package"
    done
    ;;
  services)
    ls /usr/lib/postgresql/*/bin/pg_ctl > /dev/null 2>&1 || have pg_ctl || want postgresql
    ;;
esac
[ -n "$packages" ] || exit 0
if ! have apt-get; then
  echo "setup: no apt-get here; without what Debian calls$packages some stages or tests are left out"
  exit 0
fi
if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2> /dev/null; then as_root="sudo"; else
  echo "setup: for every stage and test, run: sudo apt-get install$packages"
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # words on purpose
{ $as_root apt-get update -qq && $as_root apt-get install -qq --no-install-recommends $packages; } > /dev/null 2>&1 ||
  echo "setup: apt-get failed; run: sudo apt-get install$packages"
