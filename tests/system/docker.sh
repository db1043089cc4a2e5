#!/usr/bin/env bash
# Build the image, and test it and the compose file on a Docker engine: docker.sh IMAGE
set -euo pipefail
cd "$(dirname "$0")/../.."

image=$1
here=../shared/docker/build-here.sh # starts an engine where there is none
if docker info > /dev/null 2>&1; then
  docker build --tag "$image" .
  make test-docker IMAGE="$image"
elif [ -x "$here" ] && [ "$(id -u)" = 0 ]; then
  # One engine start: the proof of the image and of the compose file, then our own tests against the image.
  HEALTH_PATH=/readyz IMAGE_TAG="$image" "$here" "$PWD"
  IMAGE_TAG="$image" "$here" "$PWD" -- make test-docker IMAGE="$image"
elif [ -n "${ALLOW_MISSING:-}" ]; then
  echo "The tests of the image are skipped: no Docker engine answers."
else
  echo "No Docker engine answers: start one, or set ALLOW_MISSING=1 to skip the tests of the image." >&2
  exit 1
fi
