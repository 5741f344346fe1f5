#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The symbol map exports what the installed headers declare, and nothing else."""
import re
import sys

symbol_map, *headers = sys.argv[1:]
declared = set()
for header in headers:
    text = open(header, encoding="utf-8").read()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    declared |= set(re.findall(r"\b(t2p_[a-z0-9_]+) \(", text))
    declared |= {m + "_get_type" for m in re.findall(r"G_DECLARE_FINAL_TYPE \(\w+, (\w+),", text)}
declared = {name for name in declared if not name.endswith("_get_type_once")}
exported = set(re.findall(r"^  (t2p_\w+);$", open(symbol_map, encoding="utf-8").read(), flags=re.M))

problems = [f"{name}: declared, add it to the map" for name in sorted(declared - exported)]
problems += [f"{name}: in the map, but no installed header declares it" for name in sorted(exported - declared)]
if not declared or problems:
    print("\n".join(problems) or "no declaration found")
    sys.exit(1)
