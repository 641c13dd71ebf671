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
echo "1..$((${#pages[@]} + 1))"
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
# Each counter that -v tells.
capture=$root/pcaps/late_rst.pcap
if missing=$("$linger" -v -r "$capture" -o file:/dev/null 2>&1 | sed -n 's/^  \([a-z_]*\) *[0-9,]\+  [^ ].*/\1/p' |
  while read -r name; do grep -q "^| .$name. " "$fresh/docs/counters.md" || echo "$name"; done) && [[ -z "$missing" ]]; then
  echo "ok $((number + 1)) docs/counters.md has every counter"
else
  echo "not ok $((number + 1)) docs/counters.md lacks ${missing//$'\n'/ }"
  bad=1
fi
exit "$bad"
