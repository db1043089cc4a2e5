#!/usr/bin/env bash
# Install the generators and linters of package-lock.json and requirements.txt into .system/clients.
set -euo pipefail
cd "$(dirname "$0")/../../.."
here=tests/system/clients folder=.system/clients

stamp=$(cat $here/package-lock.json $here/requirements.txt $here/kserve.txt $here/mlserver.txt constraints.txt | cksum)
[ "$(cat $folder/installed 2> /dev/null)" != "$stamp" ] || exit 0
if ! command -v npm > /dev/null; then
  echo "npm is missing: the tests of generated clients cannot run" >&2
  exit 0 # they fail, and say so; the others can run
fi
rm -rf $folder
mkdir -p $folder
cp $here/package.json $here/package-lock.json $here/.npmrc $folder/
npm --prefix $folder ci --silent --no-audit --no-fund
"${PYTHON:-python3}" -m venv $folder/venv
$folder/venv/bin/python -m pip install --disable-pip-version-check --quiet \
  --constraint constraints.txt --requirement $here/requirements.txt
for client in kserve mlserver; do # each in an environment of its own: they pin other versions than we and each other
  "${PYTHON:-python3}" -m venv $folder/$client
  $folder/$client/bin/python -m pip install --disable-pip-version-check --quiet --requirement $here/$client.txt
done
echo "$stamp" > $folder/installed
