# A throw-away PostgreSQL cluster, for whoever has sourced scripts/prerequisites.sh.
# shellcheck shell=bash

PG_BIN=
PG_HOME=
PG_PID=

# The directory of the newest PostgreSQL server from version 15 on; nothing if there is none.
postgres_bin() {
  local dir version
  for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) "$(pg_config --bindir 2>/dev/null || true)"; do
    [[ -x $dir/initdb && -x $dir/postgres ]] || continue
    version=$("$dir/postgres" --version)
    version=${version##*PostgreSQL) }
    if ((${version%%[!0-9]*} >= 15)); then
      printf '%s' "$dir"
      return
    fi
  done
}

# Sets PG_BIN; installs a server where there is none.
find_postgres() {
  PG_BIN=$(postgres_bin)
  if [[ -z $PG_BIN ]]; then
    apt_install postgresql
    PG_BIN=$(postgres_bin)
    [[ -n $PG_BIN ]] || fail "missing: PostgreSQL 15 or newer; the package 'postgresql' of this system is older."
  fi
}

stop_postgres() {
  if [[ -n $PG_PID ]]; then
    kill -INT "$PG_PID" 2>/dev/null || true # SIGINT: a fast shutdown, without waiting for clients.
    wait "$PG_PID" || true
  fi
  [[ -z $PG_HOME ]] || rm -rf "$PG_HOME"
  PG_PID='' PG_HOME=''
}

start_postgres() {
  local as_postgres=() port
  PG_HOME=$(mktemp -d "${TMPDIR:-/tmp}/praxis-test-XXXXXX")
  if ((EUID == 0)); then # PostgreSQL refuses to run as root.
    id postgres >/dev/null 2>&1 || fail "missing: the user 'postgres', as whom root starts the server."
    chown postgres "$PG_HOME"
    as_postgres=(setpriv --reuid postgres --regid postgres --clear-groups)
  fi
  port=$(free_port)
  (
    cd "$PG_HOME"
    "${as_postgres[@]}" "$PG_BIN/initdb" -D "$PG_HOME/data" -U postgres --encoding UTF8 --locale C.UTF-8 \
      --auth-local reject --auth-host trust --no-sync >/dev/null
  )
  # Durability is off: nothing here outlives the run.
  "${as_postgres[@]}" "$PG_BIN/postgres" -D "$PG_HOME/data" -p "$port" \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 -c jit=off \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off >"$PG_HOME/log" 2>&1 &
  PG_PID=$!
  for _ in {1..300}; do
    if "$PG_BIN/pg_isready" -q -h 127.0.0.1 -p "$port"; then
      export PRAXIS_TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$port/postgres"
      printf '%s\n' "$PRAXIS_TEST_POSTGRES_URL"
      return
    fi
    kill -0 "$PG_PID" 2>/dev/null || break
    sleep 0.1
  done
  cat "$PG_HOME/log" >&2
  fail "PostgreSQL did not start."
}
