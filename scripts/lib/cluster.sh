# Sourced: what tests/cluster needs: Debian's packages, the Kubernetes programs built as ordinary Go modules (once, cached),
# and csi-sanity.
. "$(dirname "${BASH_SOURCE[0]}")/servers.sh"

export KUBE_BIN=${KUBE_BIN:-$zcdp_cache/kube-v1.34.4}
csi_sanity_module=github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity@v5.6.0

need_cluster() {
  need_packages etcd-server containerd runc containernetworking-plugins iproute2 nftables iptables conntrack busybox-static \
    openssl curl gcc libc6-dev procps
  mkdir -p "$zcdp_cache"
  exec {cluster_lock}>"$zcdp_cache/cluster.lock"
  flock "$cluster_lock"
  need_go_tool csi-sanity "$csi_sanity_module"
  if [ ! -x "$KUBE_BIN/kube" ] || [ ! -x "$KUBE_BIN/coredns" ]; then
    [ -n "${go:-}" ] || need_go
    say "building Kubernetes and CoreDNS for the test cluster (once; some minutes)"
    PATH=$(dirname "$go"):$PATH nice -n 10 "$zcdp_root/tests/cluster/cluster" build >&2 || die "the test cluster could not be built"
  fi
  exec {cluster_lock}>&-
}
