# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Debian packages, each with the reason for it. Proxies, NetworkManager and all that would start a
# daemon are not here: the lab unpacks them and installs nothing.

# shellcheck disable=SC2034 # used by those who read this file
build_packages=(
  gcc libc6-dev             # the compiler of the distribution
  meson ninja-build pkgconf # the build
  libglib2.0-dev            # main loop, objects, D-Bus
  libglib2.0-dev-bin        # gdbus-codegen, glib-mkenums
  liblwip-dev               # TCP for packets of the tun
  libc-ares-dev             # name look-ups on sockets of our own
  libssl-dev                # TLS to proxies
  libkrb5-dev               # logins by Kerberos
  libnl-route-3-dev         # links, addresses, routes, rules
  libnftables-dev           # packet filter rules
  libnm-dev                 # profiles for NetworkManager
  libpolkit-gobject-1-dev   # who may
  libpolkit-agent-1-dev     # password prompts on a terminal
  libjson-glib-dev          # profiles, journal, output for programs
  libcap-ng-dev             # drops what workers do not need
  libsystemd-dev            # has descriptors kept over a restart
  gobject-introspection libgirepository1.0-dev # the library for other languages
  gettext                   # translations
  python3-docutils          # manual pages
)

# shellcheck disable=SC2034
test_packages=(
  python3 python3-gi # the lab, and the Python example
  dbus-daemon        # private buses of the bus tests
  iproute2           # network namespaces of the tests
  ca-certificates    # packages by https
)

# shellcheck disable=SC2034
check_packages=(
  clang libclang-rt-14-dev # a second opinion; sanitizers and fuzzers
  llvm-14                  # names in the sanitizers' traces
  clang-format shellcheck  # layout, scripts
  git                      # which files are the project's
  binutils                 # what a program links
)

# install_packages PACKAGE…: installs what is missing; needs no network when nothing is.
install_packages() {
  local missing=() name
  for name; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
      missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y --no-install-recommends "${missing[@]}" ||
    { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; }
}
