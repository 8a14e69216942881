# Sourced: installs what a build or a test needs, from Debian's packages, when it is missing.
zcdp_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
zcdp_cache=${ZCDP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/zcdp-build}
export CCACHE_DIR=${CCACHE_DIR:-$zcdp_cache/ccache}
export CCACHE_BASEDIR=$zcdp_root CCACHE_NOHASHDIR=1  # clones of the tree share what was compiled

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# as_root PURPOSE COMMAND...
as_root() {
  local purpose=$1 sudo=; shift
  if [ "$(id -u)" != 0 ]; then
    sudo=$(command -v sudo) || die "packages are missing and this is not root: $purpose"
  fi
  DEBIAN_FRONTEND=noninteractive $sudo "$@" >/dev/null || die "$* failed"
}

# need_packages NAME...: one apt call for all that are missing
need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  say "installing ${missing[*]}"
  as_root "apt-get install ${missing[*]}" apt-get update -q
  as_root "apt-get install ${missing[*]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
}

known_package() { apt-cache policy "$1" 2>/dev/null | grep 'Candidate: [0-9]' >/dev/null; }

# Debian 12 has 1.81 beside its default 1.74; Debian 13's default is new enough. A fresh machine knows no packages yet.
boost_package() {
  known_package libboost-dev || as_root "apt-get update" apt-get update -q
  if known_package libboost1.81-dev; then echo libboost1.81-dev; else echo libboost-dev; fi
}

# Programs that look at the sources: for tests/tidy.
need_source_checks() {
  need_packages clang-format-19
  (. "$zcdp_root/scripts/lib/venv.sh" && need_ruff) || say "ruff could not be installed: Python's form is not looked at"
}

need_build_packages() {
  local boost
  boost=$(boost_package)
  need_packages clang-19 lld-19 cmake ninja-build ccache git python3 ca-certificates "$boost" \
    libfmt-dev libcli11-dev libssl-dev libsqlite3-dev libzstd-dev libyaml-cpp-dev doctest-dev \
    pkg-config libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libre2-dev libc-ares-dev zlib1g-dev
}

# build PRESET [TARGET...]
build() {
  local preset=$1; shift
  (cd "$zcdp_root" && cmake --preset "$preset" >"/tmp/zcdp-cmake-$preset.$$.log" 2>&1 ||
    { cat "/tmp/zcdp-cmake-$preset.$$.log" >&2; exit 1; }
   rm -f "/tmp/zcdp-cmake-$preset.$$.log"
   cmake --build --preset "$preset" ${1:+--target "$@"})
}
