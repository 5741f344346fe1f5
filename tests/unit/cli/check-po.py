#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Translations are whole: POTFILES names every file with text for people, each language of LINGUAS
passes msgfmt and leaves nothing of the template untranslated."""
import pathlib
import re
import subprocess
import sys
import tempfile

root = pathlib.Path(sys.argv[1])
marked = re.compile(r'\b(?:_|N_|ngettext) ?\(\s*"')
problems = []

listed = {line.strip() for line in (root / "po/POTFILES").read_text(encoding="utf-8").splitlines()
          if line.strip() and not line.startswith("#")}
found = {str(path.relative_to(root)) for path in (root / "src").rglob("*.[ch]")
         if marked.search(path.read_text(encoding="utf-8"))}
found |= {str(path.relative_to(root)) for path in (root / "data").rglob("*.policy*")}
problems += [f"{name}: has text for people, add it to po/POTFILES" for name in sorted(found - listed)]
problems += [f"{name}: take it out of po/POTFILES" for name in sorted(listed)
             if not (root / name).exists()]

with tempfile.TemporaryDirectory() as scratch:
    template = pathlib.Path(scratch) / "template.pot"
    subprocess.run(["xgettext", "--from-code=UTF-8", "--keyword=_", "--keyword=N_",
                    "--keyword=ngettext:1,2", f"--directory={root}",
                    f"--files-from={root}/po/POTFILES", "-o", template], check=True)
    for language in (root / "po/LINGUAS").read_text(encoding="utf-8").split():
        source = root / "po" / f"{language}.po"
        merged = pathlib.Path(scratch) / f"{language}.po"
        check = subprocess.run(["msgfmt", "--check", "-o", "/dev/null", source],
                               capture_output=True, text=True)
        if check.returncode != 0:
            problems.append(check.stderr)
            continue
        subprocess.run(["msgmerge", "--quiet", "--no-fuzzy-matching", source, template,
                        "-o", merged], check=True)
        missing = subprocess.run(["msgattrib", "--untranslated", "--no-obsolete", merged],
                                 capture_output=True, text=True, check=True).stdout
        if "msgid" in missing:
            problems.append(f"{source.name}: not translated:\n{missing}")

if problems or not listed:
    print("\n".join(problems))
    sys.exit(1)
