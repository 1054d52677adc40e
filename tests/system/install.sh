#!/usr/bin/env bash
# Install the system packages that tests and benches use, where we may; say clearly what is missing where not.
set -u
missing=()
command -v postfix >/dev/null || [ -x /usr/sbin/postfix ] || missing+=(postfix)
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
command -v openssl >/dev/null || missing+=(openssl)
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
if [ ${#missing[@]} -eq 0 ]; then
  :
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing ${missing[*]}"
  # No daemon may start by being installed: policy-rc.d answers 101 for the time of the installation.
  policy=/usr/sbin/policy-rc.d
  made=no
  if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=yes; fi
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/tmp/yamabiko-apt.log 2>&1
  status=$?
  [ "$made" = yes ] && rm -f "$policy"
  [ $status -eq 0 ] || { echo "apt-get failed, see /tmp/yamabiko-apt.log; tests that need ${missing[*]} will say so"; }
else
  echo "not installed: ${missing[*]}; tests that need them will be skipped and say so (as root on Debian or Ubuntu: apt-get install ${missing[*]})"
fi

# Debian lets one MTA be installed: the others are only unpacked, each with the libraries it lacks here, for
# tests/interop/box.py. Nothing of them becomes part of this system.
unpacked_in=${XDG_CACHE_HOME:-$HOME/.cache}/yamabiko-interop
release=$(. /etc/os-release 2>/dev/null && echo "${ID:-}-${VERSION_ID:-}"; uname -m)
download() { # package folder
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --download-only --reinstall --no-install-recommends \
    -o APT::Sandbox::User=root -o Dir::Cache::archives="$2" "$1" >>/tmp/yamabiko-apt.log 2>&1
}
unpack() { # package
  local tree=$unpacked_in/$1 archives deb folder
  archives=$(mktemp -d) && mkdir -p "$archives/partial" && rm -rf "$tree" "$tree.complete" && mkdir -p "$tree" || return
  download "$1" "$archives" || { apt-get update -qq >>/tmp/yamabiko-apt.log 2>&1 && download "$1" "$archives"; }
  for deb in "$archives"/*.deb; do dpkg -x "$deb" "$tree" 2>>/tmp/yamabiko-apt.log || { rm -rf "$archives"; return 1; }; done
  rm -rf "$archives"
  # /lib and the like are links into /usr on the system (usrmerge); a folder would hide them.
  for folder in bin sbin lib lib64; do
    [ -d "$tree/$folder" ] || continue
    mkdir -p "$tree/usr/$folder" && cp -a "$tree/$folder/." "$tree/usr/$folder/" && rm -r "${tree:?}/$folder"
  done
  echo "$release" >"$tree.complete"
}
for package in exim4-daemon-light opensmtpd sendmail-bin courier-mta dma; do
  [ "$(cat "$unpacked_in/$package.complete" 2>/dev/null)" = "$release" ] && continue
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
    echo "unpacking $package into $unpacked_in"
    unpack "$package" || echo "$package cannot be had, see /tmp/yamabiko-apt.log; its test will say so"
  else
    echo "not unpacked: $package; its test will be skipped and say so (root on Debian or Ubuntu is needed)"
  fi
done
exit 0
