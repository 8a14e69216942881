# Sourced: programs from npm that tests run, each in a folder of its own below $zcdp_cache.
. "$(dirname "${BASH_SOURCE[0]}")/deps.sh"

need_pyright() { need_npm_package pyright 1.1.414; }

# need_npm_package NAME VERSION
need_npm_package() {
  local name=$1 version=$2 folder=$zcdp_cache/$1 npm_lock
  [ "$(cat "$folder/.version" 2>/dev/null)" = "$version" ] && return 0
  mkdir -p "$folder"
  exec {npm_lock}>"$zcdp_cache/npm.lock"  # one at a time, whoever asks
  flock "$npm_lock"
  command -v npm >/dev/null || need_packages npm nodejs
  say "installing $name $version"
  (cd "$folder" && npm install --silent --no-audit --no-fund --ignore-scripts --prefix . "$name@$version" >/dev/null) || die "npm install $name failed"
  printf '%s' "$version" >"$folder/.version"
  exec {npm_lock}>&-
}
