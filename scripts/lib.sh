# shellcheck shell=bash
# What the scripts in this folder share. Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# Run a command as root: directly, or through sudo without a prompt.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo > /dev/null; then sudo -n "$@"
  else die "root or sudo is needed to run: $*"
  fi
}

# need_packages PACKAGE…  Installs those Debian packages that are missing, without letting any of them start a service.
need_packages() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get > /dev/null || die "missing ${missing[*]}; only Debian's apt is known here, install them by other means"
  say "installing ${missing[*]}"
  # One installation at a time: two scripts may start together. The lock goes when the subshell ends.
  (
    exec 8> "${TMPDIR:-/tmp}/paystorm-apt.$(id -u).lock"
    flock 8
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      # shellcheck disable=SC2064  # the path is wanted as it is now
      trap "as_root rm -f '$policy'" EXIT
      printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" > /dev/null
      as_root chmod 755 "$policy"
    fi
    log=$(mktemp)
    as_root apt-get -o DPkg::Lock::Timeout=300 -q update > "$log" 2>&1 &&
      as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=300 -q -y --no-install-recommends install "${missing[@]}" >> "$log" 2>&1 ||
      { tail -n 40 "$log" >&2; die "apt-get could not install ${missing[*]}"; }
    rm -f "$log"
  ) 8>&- || exit 1
}

# port_open PORT: does anything listen there on loopback?
port_open() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

# A set of services that belongs to one run alone: its own directory and the first free shift of the ports, so that it can run
# beside a developer's set. The directory is under /var/tmp because /tmp is memory on many machines, where fsync costs nothing.
own_services_start() {
  local offset port free
  own_services_dir=$(mktemp -d /var/tmp/paystorm-services.XXXXXX)
  chmod 755 "$own_services_dir"
  # For the tests as well, which stop and start these servers.
  export PAYSTORM_SERVICES_DIR=$own_services_dir
  for offset in $(seq 1000 10 1090); do
    free=yes
    for port in 3306 5672 9200 9300 15672 24369 25672; do
      if port_open $((port + offset)); then free=no; fi
    done
    if [ "$free" = yes ]; then break; fi
  done
  [ "$free" = yes ] || die "no free ports for the services between the shifts 1000 and 1090"
  export PAYSTORM_SERVICES_PORT_OFFSET=$offset
  "$root/scripts/services.sh" up
  eval "$("$root/scripts/services.sh" env)"
}

# own_services_stop [LOG_DIR]: stops that set, if it was started, and removes its data; with LOG_DIR its logs are kept there.
own_services_stop() {
  local dir=${own_services_dir:-}
  [ -n "$dir" ] || return 0
  own_services_dir=
  if [ -n "${1:-}" ]; then
    mkdir -p "$1"
    (cd "$dir" && find . -name '*.log' -size -50M -exec cp --parents -t "$1" {} +) || true
  fi
  PAYSTORM_SERVICES_DIR=$dir "$root/scripts/services.sh" wipe
}
