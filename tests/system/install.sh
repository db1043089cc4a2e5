#!/usr/bin/env bash
# Install the programs that the tests in tests/system/ need: with apt-get if this is root, else name them.
set -euo pipefail
cd "$(dirname "$0")/../.."

missing=$(python3 -m tests.helpers.programs)
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
  echo "Only root can install what is missing here: apt-get install $missing" >&2
  exit 0 # the tests that need them fail, and say so; the others can run
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=300 update -qq
# shellcheck disable=SC2086 # one argument for each package
apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $missing > /dev/null
