#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every verb and option of tun2proxyctl stands in its help, in the manual page and in the completion.

    test-words.py PROGRAM COMPLETION MANUAL"""
import os
import re
import subprocess
import sys

program, completion, manual = sys.argv[1:]
page = open(manual, encoding="utf-8").read()
problems = []


def run(*words):
    return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout


def complete(*words):
    """What the shell offers instead of the last of the words."""
    script = 'source "$0"; COMP_WORDS=(tun2proxyctl "$@"); COMP_CWORD=$#; _tun2proxyctl; ' \
             'printf "%s\\n" "${COMPREPLY[@]}"'
    env = os.environ | {"PATH": os.path.dirname(program) + ":" + os.environ["PATH"]}
    return subprocess.run(["bash", "--norc", "-c", script, completion, *words], check=True,
                          capture_output=True, text=True, env=env).stdout.split()


def section(title):
    """Of the manual page."""
    return re.search(rf"^{title}\n=+\n(.*?)(?=^[^\n]+\n===|\Z)", page, flags=re.M | re.S).group(1)


def expect(condition, complaint):
    if not condition:
        problems.append(complaint)


verbs = run("complete", "verbs").split()
synopsis = section("SYNOPSIS")
expect(not [line for line in synopsis.splitlines() if line and not line.startswith("| ")],
       "the manual's synopsis is more than one line for each verb")
expect(complete("") == verbs, f"completed verbs: {complete('')}")
general = set(re.findall(r"--([a-z-]+)", run("--help").split("Verbs:")[0]))
offered = complete("--")
for option in sorted(general):
    expect(f"--{option}" in offered, f"--{option}: not completed")
    expect(f"``--{option}" in section("OPTIONS"), f"--{option}: not among the manual's options")
for verb in verbs:
    usage = run(verb, "--help")
    described = re.search(rf"^\*\*{verb}\*\*.*\n((?:\n|    .*\n)+)", section("VERBS"), flags=re.M)
    expect(re.search(rf"^\| \*\*tun2proxyctl\*\* \[.*\] \*\*{verb}\*\*", synopsis, flags=re.M),
           f"{verb}: not in the manual's synopsis")
    expect(f"\n  {verb} " in run("--help"), f"{verb}: not in --help")
    expect(described, f"{verb}: not among the manual's verbs")
    for option in sorted(set(re.findall(r"^ .*?--([a-z-]+)", usage, flags=re.M)) - general):
        expect(described and f"``--{option}" in described.group(1),
               f"{verb} --{option}: not in the manual")
        expect(f"--{option}" in complete(verb, "--"), f"{verb} --{option}: not completed")

# A value is no verb, and what a short option stands for depends on the verb.
expect("--rollback" in complete("--user", "me", "up", "--"), "a value is taken for the verb")
expect("up" in complete("--json", ""), "no verb behind an option")
expect("failover" in complete("up", "policy=f") or "policy=failover" in complete("up", "policy=f"),
       "the choices of a setting are not completed")
expect("root" in complete("explain", "--user", "roo"), "explain --user: no users")
expect(complete("test-proxy", "-t", "") == [], "a time-out is completed")

print("\n".join(problems))
sys.exit(1 if problems else 0)
