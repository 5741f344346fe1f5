#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Creates a tunnel, tells its states, lists its connections for a while and deletes it.

    create-tunnel.py socks5://127.0.0.1:1080 [--name NAME] [--seconds N] [--bus ADDRESS] [KEY=TEXT…]

KEY=TEXT are settings whose values are text, such as capture=default.
"""
import argparse
import sys

import gi

gi.require_version("Tun2Proxy", "1.0")
from gi.repository import GLib, Tun2Proxy  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("uri", help="a proxy")
    parser.add_argument("settings", nargs="*", metavar="KEY=TEXT")
    parser.add_argument("--name", default="example")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--bus", help="address of another bus than the system's")
    return parser.parse_intermixed_args()


class Example:
    def __init__(self, arguments):
        self.arguments = arguments
        self.loop = GLib.MainLoop()
        self.error = None
        self.tunnel = None

    def run(self):
        if self.arguments.bus:
            client = Tun2Proxy.Client.new_for_address_sync(self.arguments.bus, None)
        else:
            client = Tun2Proxy.Client.new_sync(None)
        client.connect("tunnel-added", self.on_added)
        settings = {"proxies": GLib.Variant("as", [self.arguments.uri])}
        for pair in self.arguments.settings:
            key, _, text = pair.partition("=")
            settings[key] = GLib.Variant("s", text)
        client.create_tunnel(self.arguments.name, GLib.Variant("a{sv}", settings),
                             GLib.Variant("a{sv}", {"wait": GLib.Variant("b", True)}),
                             None, self.on_created)
        self.loop.run()
        return self.error

    def on_added(self, _client, tunnel):
        if tunnel.get_name() == self.arguments.name:
            self.tell(tunnel)
            tunnel.connect("notify::state", lambda changed, _pspec: self.tell(changed))

    def tell(self, tunnel):
        print("state:", Tun2Proxy.TunnelState.to_string(tunnel.get_state()), flush=True)

    def on_created(self, client, result):
        try:
            self.tunnel, about = client.create_tunnel_finish(result)
        except GLib.Error as error:
            self.stop(error)
            return
        print("interface:", about["interface"], flush=True)
        GLib.timeout_add(int(self.arguments.seconds * 1000), self.on_time_over)

    def on_time_over(self):
        self.tunnel.list_connections(None, 0, 0, None, self.on_connections)
        return GLib.SOURCE_REMOVE

    def on_connections(self, tunnel, result):
        try:
            connections, _next_id = tunnel.list_connections_finish(result)
        except GLib.Error as error:
            self.stop(error)
            return
        print("connections:", len(connections))
        for row in connections:
            print(f"  {row['protocol']} {row['source']} -> {row['host'] or row['destination']}"
                  f" {row['state']}")
        tunnel.delete(None, None, self.on_deleted)

    def on_deleted(self, tunnel, result):
        try:
            tunnel.delete_finish(result)
            print("deleted")
        except GLib.Error as error:
            self.stop(error)
            return
        self.stop(None)

    def stop(self, error):
        self.error = error
        self.loop.quit()


def main():
    error = Example(parse_arguments()).run()
    if error is None:
        return 0
    if error.matches(Tun2Proxy.error_quark(), Tun2Proxy.Error.PROXY_AUTHENTICATION_FAILED):
        print("the proxy refused the password", file=sys.stderr)
    else:
        print(error.message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
