# SPDX-License-Identifier: LGPL-2.1-or-later
"""The state of the network as text that can be compared: what a tunnel may and may not change."""
import re

from .lab import LabError

# Section, and the command that tells it. All run in the lab's own network namespace.
SECTIONS = {
    'routes4': 'ip -4 route show table all',
    'routes6': 'ip -6 route show table all',
    'rules4': 'ip -4 rule show',
    'rules6': 'ip -6 rule show',
    'nft': 'nft list ruleset',
    'resolv.conf': 'cat /etc/resolv.conf',
}
RESOLVED = {
    'resolve1 servers': 'resolvectl dns',
    'resolve1 domains': 'resolvectl domain',
    'resolve1 default-route': 'resolvectl default-route',
}
# What the clock changes and nobody else, and counters.
VOLATILE = (
    (re.compile(r' expires \d+sec'), ''),
    (re.compile(r' (users|age|hoplimit) \d+(sec)?'), ''),
    (re.compile(r'packets \d+ bytes \d+'), 'packets N bytes N'),
    (re.compile(r'^Link \d+ '), 'Link '),
)
# Links that the resolver knows nothing about say so; the link itself is not its setting.
EMPTY_LINK = re.compile(r'^Link \(\S+\):( no)?\s*$')
CLONED_ROUTE = re.compile(r' cache ')


def _normal(text):
    lines = []
    for line in text.splitlines():
        for pattern, instead in VOLATILE:
            line = pattern.sub(instead, line)
        line = line.rstrip()
        if line and not EMPTY_LINK.match(line) and not CLONED_ROUTE.search(line):
            lines.append(line)
    return lines


def _said(lab, command):
    """resolvectl fails when a link goes while it walks over them: then once more."""
    try:
        return lab.run(command).stdout
    except LabError:
        return lab.run(command).stdout


def network_dump(lab):
    """{section: [line, …]}, normalised, of the machine's routes, rules, nft and resolvers."""
    sections = dict(SECTIONS)
    if lab.config['resolved']:
        sections.update(RESOLVED)
    dump = {}
    for name, command in sections.items():
        lines = _normal(_said(lab, command))
        # The kernel lists routes in the order of its tables' making; rules and nft have an order.
        dump[name] = sorted(lines) if name.startswith('routes') else lines
    return dump


def is_kernels_own(line, interface):
    """Whether a route is one that the kernel makes for a link with an address, by itself."""
    words = line.split()
    return (f' dev {interface} ' in f'{line} ' and 'proto kernel' in line
            and words[0] != 'default' and 'via' not in words)


def changes(before, after, interface=None):
    """['+routes4 LINE', '-rules6 LINE', …]; the kernel's own routes of INTERFACE left out."""
    found = []
    for section in before.keys() | after.keys():
        old, new = before.get(section, []), after.get(section, [])
        own = (lambda line, section=section: interface and section.startswith('routes')
               and is_kernels_own(line, interface))
        found += [f'-{section} {line}' for line in old if line not in new and not own(line)]
        found += [f'+{section} {line}' for line in new if line not in old and not own(line)]
        kept_old = [line for line in old if line in new]
        kept_new = [line for line in new if line in old]
        if kept_old != kept_new:
            found.append(f'~{section} order: {kept_old} became {kept_new}')
    return sorted(found)
