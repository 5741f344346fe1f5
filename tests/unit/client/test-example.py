#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs docs/examples/create-tunnel.py on a private bus.

    test-example.py [--own-network] EXAMPLE SERVICE [ARGUMENT…]

SERVICE is a program that owns the service's name; @BUS@ in its arguments is the bus's address,
@DIR@ a scratch directory. With --own-network all of it runs in a network namespace of its own. Ends with
77 (skipped) without introspection, or without the privilege for that namespace."""
import os
import pathlib
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>"""


class Proxy(socketserver.ThreadingTCPServer):
    """Enough of SOCKS5 for a service that tries its proxy: no login, every CONNECT succeeds."""
    allow_reuse_address = True
    daemon_threads = True


class Handshake(socketserver.StreamRequestHandler):
    def handle(self):
        greeting = self.rfile.read(2)
        if len(greeting) < 2 or greeting[0] != 5:
            return
        self.rfile.read(greeting[1])
        self.wfile.write(b"\x05\x00")
        try:
            if self.rfile.read(1):
                self.wfile.write(b"\x05\x00\x00\x01\0\0\0\0\0\0")
        except ConnectionResetError:
            pass  # the service has seen enough


def wait_for(condition, what):
    deadline = time.monotonic() + 15
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"waited too long for {what}")
        time.sleep(0.05)


def has_owner(bus):
    answer = subprocess.run(
        ["gdbus", "call", "--address", bus, "--dest", "org.freedesktop.DBus", "--object-path", "/",
         "--method", "org.freedesktop.DBus.NameHasOwner", "org.tun2proxy.Manager"],
        capture_output=True, text=True)
    return "true" in answer.stdout


def run_example(example, bus, port):
    return subprocess.run(
        [sys.executable, example, f"socks5://127.0.0.1:{port}", "--bus", bus, "--seconds", "0.5",
         "capture=none"], capture_output=True, text=True, timeout=60)


def check(result):
    print(result.stdout, result.stderr, sep="\n", flush=True)
    for text in ("state: active", "interface: t2p", "connections:", "deleted"):
        if text not in result.stdout:
            sys.exit(f"the example did not print “{text}”")
    if result.returncode != 0:
        sys.exit(f"the example ended with {result.returncode}")


def enter_own_network():
    if os.geteuid() != 0:
        print("1..0 # SKIP a network namespace needs root")
        sys.exit(77)
    arguments = [sys.executable, *[part for part in sys.argv if part != "--own-network"]]
    os.execvp("unshare", ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
                          *arguments])


def main():
    if "--own-network" in sys.argv:
        enter_own_network()
    try:
        import gi
        gi.require_version("Tun2Proxy", "1.0")
    except (ImportError, ValueError) as error:
        print(f"1..0 # SKIP no introspection: {error}")
        sys.exit(77)
    example, *service = sys.argv[1:]
    processes = []
    proxy = Proxy(("127.0.0.1", 0), Handshake)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "bus"
        bus = f"unix:path={path}"
        config = pathlib.Path(scratch) / "bus.conf"
        config.write_text(BUS_CONFIG.format(path=path), encoding="utf-8")
        try:
            processes.append(subprocess.Popen(
                ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"]))
            wait_for(path.exists, "the bus")
            command = [part.replace("@BUS@", bus).replace("@DIR@", scratch) for part in service]
            processes.append(subprocess.Popen(command))
            wait_for(lambda: has_owner(bus), "the service")
            check(run_example(example, bus, proxy.server_address[1]))
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=20)


if __name__ == "__main__":
    main()
