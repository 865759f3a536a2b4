#!/bin/bash
# Runs the tests that are too long for CI (ignored ones with `soak` in their name) against services of their own.
#
#   scripts/soak.sh [FILTER]     FILTER: part of a test's name, default `soak`
#
# Everything printed goes to target/soak/DATE.log as well, and the outcome to target/soak/DATE.summary. Other environment
# variables, such as a test's own duration (PAYSTORM_FUZZ_SECONDS and PAYSTORM_FUZZ_SEED of the scenario parser's), are handed on.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
cd "$root"

filter=${1:-soak}
stamp=$(date -u +%Y%m%dT%H%M%SZ)
out=$root/target/soak
mkdir -p "$out"
began=$SECONDS

finish() {
  local status=$?
  trap - EXIT
  own_services_stop "$out/$stamp-services" || status=1
  {
    printf 'filter    %s\ncommit    %s%s\nstarted   %s\nduration  %d s\n' "$filter" "$(git rev-parse --short HEAD 2> /dev/null || echo unknown)" \
      "$([ -z "$(git status --porcelain 2> /dev/null)" ] || echo ', with changes')" "$stamp" $((SECONDS - began))
    grep -E '^test (result: |.* \.\.\. (ok|FAILED))' "$out/$stamp.log" || true
    if [ $status = 0 ]; then echo 'outcome   passed'; else echo "outcome   FAILED (exit $status)"; fi
  } | tee "$out/$stamp.summary"
  exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cargo build --release --locked
own_services_start
export PAYSTORM_SOAK=1 PAYSTORM_BIN=$root/target/release/paystorm
# One test at a time: two would measure each other.
cargo test --release --locked -- --ignored --nocapture --test-threads=1 "$filter" 2>&1 | tee "$out/$stamp.log"
# A filter that fits no test must not pass for a soak.
ran=$(sed -n 's/^test result: .* \([0-9][0-9]*\) passed.*/\1/p' "$out/$stamp.log" | awk '{ n += $1 } END { print n + 0 }')
[ "$ran" -gt 0 ] || die "no ignored test has '$filter' in its name"
