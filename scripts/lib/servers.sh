# Sourced: builds the servers and peers that tests and benchmarks run against, once, into $zcdp_cache/bin.
# They come by package name from Debian, npm and the Go module proxy, at the versions written here.
. "$(dirname "${BASH_SOURCE[0]}")/npm.sh"

minio_module=github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c  # the last commit that MinIO published
versitygw_module=github.com/versity/versitygw/cmd/versitygw@v1.8.0
fake_gcs_module=github.com/fsouza/fake-gcs-server@v1.56.1
azurite_version=3.35.0
rclone_module=github.com/rclone/rclone@v1.75.1
go_version=1.26.8  # fetched where the machine's Go is older than go_version_min
go_version_min=1.26

zcdp_bin=$zcdp_cache/bin
export GOMODCACHE=$zcdp_cache/go/mod GOCACHE=$zcdp_cache/go/build

# version_at_least HAVE WANT
version_at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }

# Prints the version of the Go at $1 as 1.2.3, or nothing.
go_version_of() { "$1" version 2>/dev/null | sed -n 's/^go version go\([0-9.]*\).*/\1/p'; }

# Sets $go to a Go that is new enough and says in one line which one it is. A Go from 1.21 on fetches the toolchain it is
# told to by itself (GOTOOLCHAIN); an older one, such as Debian 12's 1.19, can still download the same module, but does
# not know that it is a toolchain, so what the switch does after the download is done here.
need_go() {
  go=$(command -v go || true)
  local have=
  [ -n "$go" ] && have=$(go_version_of "$go")
  if [ -n "$have" ] && version_at_least "$have" "$go_version_min"; then
    say "Go $have of this machine is used"
    return 0
  fi
  if [ -z "$have" ]; then
    need_packages golang-go ca-certificates
    go=$(command -v go)
    have=$(go_version_of "$go")
  fi
  if version_at_least "$have" 1.21; then
    export GOTOOLCHAIN=go$go_version GOSUMDB=${GOSUMDB:-sum.golang.org}
    say "Go $have of this machine is too old: it fetches Go $go_version by its toolchain switch"
    return 0
  fi
  say "Go $have of this machine is older than 1.21: Go $go_version comes as the module golang.org/toolchain"
  local module=golang.org/toolchain@v0.0.1-go$go_version.linux-$(dpkg --print-architecture)
  local folder=$GOMODCACHE/$module
  if [ ! -x "$folder/bin/go" ]; then
    (mkdir -p "$zcdp_cache/go/fetch" && cd "$zcdp_cache/go/fetch" && "$go" mod download "$module") ||
      die "go mod download $module failed"
    # Module zips keep neither executable bits nor nested go.mod files (they are named _go.mod).
    chmod -R u+w "$folder"
    find "$folder" -name _go.mod -execdir cp {} go.mod \;
    find "$folder/bin" "$folder/pkg/tool" -type f -exec chmod a+x {} +
  fi
  go=$folder/bin/go
  export GOROOT=$folder GOTOOLCHAIN=local
}

# need_go_tool NAME MODULE...: builds what is missing. The stamp holds the module, so a new pin builds anew.
need_go_tool() {
  local name=$1 module=$2 started=$SECONDS
  [ -x "$zcdp_bin/$name" ] && [ "$(cat "$zcdp_bin/.$name.module" 2>/dev/null)" = "$module" ] && return 0
  [ -n "${go:-}" ] || need_go
  mkdir -p "$zcdp_bin"
  say "building $module"
  GOBIN=$zcdp_bin GOFLAGS=-trimpath CGO_ENABLED=0 nice -n 10 "$go" install -p 2 -ldflags="-s -w" "$module" ||
    die "go install $module failed"
  printf '%s' "$module" >"$zcdp_bin/.$name.module"
  say "built $name in $((SECONDS - started)) s"
}

# One at a time, whoever asks.
need_servers() {
  mkdir -p "$zcdp_cache"
  exec {servers_lock}>"$zcdp_cache/servers.lock"
  flock "$servers_lock"
  need_go_tool versitygw "$versitygw_module"
  need_go_tool minio "$minio_module"
  exec {servers_lock}>&-
}

need_fake_gcs() {
  mkdir -p "$zcdp_cache"
  exec {servers_lock}>"$zcdp_cache/servers.lock"
  flock "$servers_lock"
  need_go_tool fake-gcs-server "$fake_gcs_module"
  exec {servers_lock}>&-
}

need_azurite() { need_npm_package azurite "$azurite_version"; }

need_peers() {
  mkdir -p "$zcdp_cache"
  exec {servers_lock}>"$zcdp_cache/servers.lock"
  flock "$servers_lock"
  need_go_tool rclone "$rclone_module"
  exec {servers_lock}>&-
}
