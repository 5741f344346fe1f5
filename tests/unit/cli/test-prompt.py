#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Types at the prompts of tun2proxyctl on a terminal. There is no bus behind it: exit code 4 says
that the program got past its prompts."""
import os
import pty
import select
import sys

PROGRAM = sys.argv[1]


def run(arguments, dialogue):
    """dialogue: pairs of what to wait for and what to type then. Returns output and exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(PROGRAM, [PROGRAM, "--bus=unix:path=/does/not/exist", *arguments])
    output = b""
    steps = list(dialogue)
    while True:
        if steps and steps[0][0] in output:
            os.write(terminal, steps.pop(0)[1])
        if not select.select([terminal], [], [], 20)[0]:
            sys.exit(f"{arguments}: nothing happens after {output!r}")
        try:
            more = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        output += more
    return output, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def expect(name, arguments, dialogue, code, shown=(), hidden=()):
    output, got = run(arguments, dialogue)
    if got != code:
        sys.exit(f"{name}: exit code {got}, expected {code}: {output!r}")
    for text in shown:
        if text not in output:
            sys.exit(f"{name}: {text!r} is not in {output!r}")
    for text in hidden:
        if text in output:
            sys.exit(f"{name}: {text!r} is in {output!r}")


up = ["up", "socks5://proxy.example", "--ask"]
expect("user and password", up, [(b"User name for", b"me\r"), (b"Password of me", b"sesame\r")],
       4, shown=[b"User name for socks5://proxy.example:1080: me"], hidden=[b"sesame"])
expect("corrections", up, [(b"User name for", b"my\x7fe\r"), (b"Password of me", b"x\x15y\r")], 4)
expect("user given", [*up, "--user=me"], [(b"Password of me", b"sesame\r")], 4,
       hidden=[b"User name", b"sesame"])
expect("Ctrl-C", [*up, "--user=me"], [(b"Password of me", b"ses\x03")], 1,
       shown=[b"nothing was typed"])
expect("nothing", [*up, "--user=me"], [(b"Password of me", b"\r")], 1)
