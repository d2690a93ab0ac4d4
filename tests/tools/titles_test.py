#!/usr/bin/env python3
"""Every doctest title survives the discovery by CTest.

    titles_test.py REPOSITORY

CTest's discovery splits a title at ';': both halves match no test, and a filter that matches nothing
passes. After a ',' the label is lost, so that `ctest -L` leaves the test out without a word. Titles
that occur twice in a folder (one executable) hide each other.
"""

import pathlib
import re
import sys
import unittest

REPOSITORY = pathlib.Path(sys.argv.pop(1)).resolve()
# TEST_CASE("..." "...") and its templates; the title may be split over several literals.
TITLE = re.compile(r'\bTEST_CASE(?:_[A-Z_]+)?\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def titles(text):
    return ["".join(LITERAL.findall(literals)) for literals in TITLE.findall(text)]


class Titles(unittest.TestCase):
    def test_titles_are_found_in_all_their_forms(self):
        self.assertEqual(titles('TEST_CASE("a; b") {}\nTEST_CASE(\n    "c "\n    "d, \\"e\\"") {}\n'
                                'TEST_CASE_TEMPLATE("f", T, int) {} MY_TEST_CASE("no")'),
                         ["a; b", 'c d, \\"e\\"', "f"])

    def test_no_title_loses_its_test(self):
        seen, wrong = {}, []
        for folder in ("tests", "plugins", "sdk"):
            for path in sorted((REPOSITORY / folder).rglob("*.cpp")):
                for title in titles(path.read_text(encoding="utf-8")):
                    at = f"{path.relative_to(REPOSITORY)}: {title}"
                    if ";" in title or "," in title:
                        wrong.append(f"{at}: holds ';' or ','")
                    if (path.parent, title) in seen:
                        wrong.append(f"{at}: also in {seen[path.parent, title]}")
                    seen[path.parent, title] = path.name
        self.assertTrue(seen, "no doctest title was found at all")
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
