#!/usr/bin/env python3
"""Code in documents is cut from files that are built.

    snippets_test.py REPOSITORY

A line `<!-- cut from PATH [name] -->` says that the code block below it is what stands in PATH between
two comment lines that hold nothing but `[name]`, or the whole file where no name is given.
"""

import pathlib
import re
import sys
import unittest

REPOSITORY = pathlib.Path(sys.argv.pop(1)).resolve()
CUT = re.compile(r"<!-- cut from (\S+?)(?: \[(\w+)\])? -->\n(?:```\w*\n(.*?)^```$)?", re.S | re.M)


def region(text, name):
    """What stands between the two marks, or None."""
    if name is None:
        return text
    parts = re.split(rf"^[ \t]*(?://+|#|--) \[{name}\][ \t]*\n", text, flags=re.M)
    return parts[1] if len(parts) == 3 else None


def problems(document, root):
    for path, name, code in CUT.findall(document):
        name = name or None
        file = root / path
        if not file.is_file():
            yield f"{path}: there is no such file"
            continue
        expected = region(file.read_text(encoding="utf-8"), name)
        if expected is None:
            yield f"{path}: expected two marks [{name}]"
        elif code != expected:
            yield f"{path} [{name}]: the document shows something else; expected:\n{expected}"


class Snippets(unittest.TestCase):
    def test_differences_and_missing_marks_are_found(self):
        self.assertEqual(region("a\n// [x]\nb\n  /// [x]\nc\n", "x"), "b\n")
        self.assertEqual(region("a\n# [x]\nb\n", "x"), None)
        self.assertEqual(region("a\n", None), "a\n")
        here = pathlib.Path(__file__)
        root, name = here.parent, here.name
        whole = here.read_text(encoding="utf-8").splitlines()[0]
        for document, found in ((f"<!-- cut from none.cpp [x] -->\n```cpp\n```\n", "no such file"),
                                (f"<!-- cut from {name} [nix] -->\n```\n```\n", "two marks"),
                                (f"<!-- cut from {name} -->\n```python\n{whole}\n```\n", "else"),
                                (f"<!-- cut from {name} -->\nno block\n", "else")):
            self.assertEqual(len(list(problems(document, root))), 1)
            self.assertIn(found, next(problems(document, root)))

    def test_every_snippet_is_what_is_built(self):
        cut, wrong = 0, []
        for path in sorted(REPOSITORY.rglob("*.md")):
            if path.relative_to(REPOSITORY).parts[0] == "build":
                continue
            document = path.read_text(encoding="utf-8")
            cut += len(CUT.findall(document))
            wrong += [f"{path.relative_to(REPOSITORY)}: {problem}"
                      for problem in problems(document, REPOSITORY)]
        self.assertGreater(cut, 0, "no document shows any code")
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
