#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Run by "meson install": makes the workers' user and tells the running system of the new files, so
# that the next call on the bus starts the service. A package does these by its own means.
[ -z "${DESTDIR:-}" ] && [ "$(id -u)" = 0 ] || exit 0
user=$1 libdir=$2
if command -v systemd-sysusers >/dev/null; then
  systemd-sysusers "$libdir/sysusers.d/tun2proxy.conf"
elif ! getent passwd "$user" >/dev/null; then
  useradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin "$user"
fi
if [ -d /run/systemd/system ]; then
  systemd-tmpfiles --create "$libdir/tmpfiles.d/tun2proxy.conf"
  systemctl daemon-reload
fi
# Without a bus there is nobody to tell; the bus reads new policies when it starts.
dbus-send --system --print-reply --dest=org.freedesktop.DBus / \
  org.freedesktop.DBus.ReloadConfig >/dev/null 2>&1 || true
