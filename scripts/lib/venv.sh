# Sourced: a Python environment with the clients that tests and benchmarks drive, in $zcdp_cache/venv, from PyPI.
. "$(dirname "${BASH_SOURCE[0]}")/deps.sh"

venv_packages="awscli>=1.40,<2 boto3"

need_venv() {
  local venv=$zcdp_cache/venv
  [ -x "$venv/bin/aws" ] && [ "$(cat "$venv/.packages" 2>/dev/null)" = "$venv_packages" ] && return 0
  python3 -c 'import ensurepip' 2>/dev/null || need_packages python3-venv
  say "making a Python environment with $venv_packages"
  # shellcheck disable=SC2086
  python3 -m venv "$venv" && "$venv/bin/pip" install -q $venv_packages >/dev/null || die "pip install $venv_packages failed"
  printf '%s' "$venv_packages" >"$venv/.packages"
}
