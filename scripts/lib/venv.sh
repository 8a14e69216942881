# Sourced: Python environments with the clients that tests and benchmarks drive, below $zcdp_cache, from PyPI.
. "$(dirname "${BASH_SOURCE[0]}")/deps.sh"

hatchling="hatchling==1.33.0"

need_venv() { make_venv venv "awscli>=1.40,<2 boto3"; }
need_crt_venv() { make_venv venv-crt "boto3[crt]"; }  # benchmarks only
need_ruff() { make_venv venv-ruff "ruff==0.17.6"; }  # one version: what it calls formatted changes
need_hatchling() { make_venv venv-hatchling "$hatchling"; }  # scripts/wheel
need_python_checks() { make_venv venv-python-checks "$hatchling mypy==2.4.1 twine==7.0.0 check-wheel-contents==0.6.3 tqdm==4.70.1 types-tqdm==4.70.0.20261106"; }
need_grpc_venv() { make_venv venv-grpc "grpcio>=1.60,<2 grpcio-tools>=1.60,<2"; }

# What building python/ from an sdist takes, as files: for pip without a network.
need_wheelhouse() {
  local folder=$zcdp_cache/wheelhouse
  need_hatchling
  [ "$(cat "$folder/.packages" 2>/dev/null)" = "$hatchling" ] && return 0
  say "getting $hatchling and what it needs"
  mkdir -p "$folder"
  "$zcdp_cache/venv-hatchling/bin/pip" download -q -d "$folder" "$hatchling" >/dev/null || die "pip download $hatchling failed"
  printf '%s' "$hatchling" >"$folder/.packages"
}

# make_venv NAME "PACKAGE..."
make_venv() {
  local venv=$zcdp_cache/$1 packages=$2
  [ -x "$venv/bin/python" ] && [ "$(cat "$venv/.packages" 2>/dev/null)" = "$packages" ] && return 0
  python3 -c 'import ensurepip' 2>/dev/null || need_packages python3-venv
  say "making a Python environment with $packages"
  # shellcheck disable=SC2086
  python3 -m venv "$venv" && "$venv/bin/pip" install -q $packages >/dev/null || die "pip install $packages failed"
  printf '%s' "$packages" >"$venv/.packages"
}
