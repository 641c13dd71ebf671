#!/bin/bash
# generated_test.sh LINGER ROOT: the generated pages in the tree are those that the binary writes.
# TAP on standard output.
set -euo pipefail
linger=$1
root=$2
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$root/docs/generate" "$linger" "$fresh"
mapfile -t pages < <(cd "$fresh" && find . -type f | sort)
echo "1..${#pages[@]}"
number=0
bad=0
for page in "${pages[@]}"; do
  number=$((number + 1))
  if difference=$(diff -u "$root/$page" "$fresh/$page" 2>&1); then
    echo "ok $number ${page#./} is up to date"
  else
    echo "not ok $number ${page#./} is out of date; run ./dev docs"
    sed 's/^/# /' <<<"$difference" | head -40
    bad=1
  fi
done
exit "$bad"
