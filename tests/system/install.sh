#!/usr/bin/env bash
# Install the system packages that tests and benches use, where we may; say clearly what is missing where not.
set -u
missing=()
command -v postfix >/dev/null || [ -x /usr/sbin/postfix ] || missing+=(postfix)
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
command -v wrk >/dev/null || missing+=(wrk)
command -v openssl >/dev/null || missing+=(openssl)
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
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
exit 0
