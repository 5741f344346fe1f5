#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fills @VERSION@ and @SETTINGS@ in a manual page and runs rst2man on it."""
import pathlib
import subprocess
import sys
import tempfile

rst2man, version, settings, source, output = sys.argv[1:]
text = pathlib.Path(source).read_text(encoding="utf-8").replace("@VERSION@", version)
if "@SETTINGS@" in text:
    table = subprocess.run([settings], check=True, capture_output=True, text=True).stdout
    text = text.replace("@SETTINGS@", table)
with tempfile.NamedTemporaryFile("w", suffix=".rst", encoding="utf-8") as page:
    page.write(text)
    page.flush()
    subprocess.run([rst2man, "--strict", page.name, output], check=True)
