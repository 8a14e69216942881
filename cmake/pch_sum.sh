#!/bin/sh
# The launcher of the precompiled header's compilation: runs it, then writes beside each .pch a .sum of all that went into it,
# which is what ccache looks at for whoever uses it (CCACHE_PCH_EXTSUM): the .pch itself holds paths and differs in every tree.
set -e
"$@"
depfile= output= next=
for word in "$@"; do
  case $next in depfile) depfile=$word ;; output) output=$word ;; esac
  next=
  case $word in -MF) next=depfile ;; -o) next=output ;; esac
done
case $output in
  *.pch) sed -e 's/^[^:]*://' -e 's/\\$//' "$depfile" | tr -s ' ' '\n' | grep -v -e '^$' -e cmake_pch | xargs cat | sha256sum >"$output.sum" ;;
esac
