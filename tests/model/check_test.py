#!/usr/bin/env python3
"""check.py on models that are a few lines long: it must see what is wrong, above all what does not fail."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECKER = pathlib.Path(__file__).resolve().parent / "check.py"

# Two steps that add one: with -DLOST each of them reads before the other one writes.
MODEL = """
byte sum, done;
hidden byte nothing_lost;
active [2] proctype adds() {
  byte seen;
#ifdef LOST
  seen = sum; sum = seen + 1;
#else
  atomic { seen = sum; sum = seen + 1 };
#endif
#ifdef ENDLESS
  do :: sum > 0 -> seen = 0 :: sum > 0 -> seen = 1 od;
#endif
#ifdef STUCK
  sum == 7;
#endif
#ifdef DEEP
  int i;
  for (i : 1 .. 200000) { skip };
#endif
  atomic {
    done++;
    if :: done == 2 -> nothing_lost = (sum == 2); assert(nothing_lost) :: else fi
  }
}
"""


RIGHT = ["holds: ", "ends:", "breaks nothing_lost: -DLOST", "holds: -DENDLESS"]
WRONG = {
    # A mutation that does no harm, and those that do another harm than the expected one.
    "breaks nothing_lost: -DNO_SUCH_MUTATION": "holds",
    "breaks other_property: -DLOST": "breaks nothing_lost",
    "breaks nothing_lost: -DSTUCK": "invalid end state",
    # What should hold and does not.
    "holds: -DLOST": "breaks nothing_lost",
    "holds: -DSTUCK": "invalid end state",
    "ends: -DENDLESS": "non-progress cycle",
    # What proves nothing.
    "holds: -DDEEP": "not every state was searched",
    "holds: -Dbyte=nonsense": "spin refuses it",
}


class Checker(unittest.TestCase):
    def check(self, lines):
        """(exit status, the table's rows, the last line)."""
        with tempfile.TemporaryDirectory(prefix="weir model ") as directory:
            model = pathlib.Path(directory) / "a model.pml"
            model.write_text(MODEL + "/*\n" + "".join(f" * {line}\n" for line in lines) + " */\n")
            done = subprocess.run([sys.executable, CHECKER, f"{directory}/work", model], text=True,
                                  capture_output=True, check=False)
        rows = done.stdout.splitlines()
        return done.returncode, rows[1:-1], (rows or [done.stderr])[-1]

    def test_what_comes_out_as_expected_is_right(self):
        status, rows, last = self.check(RIGHT)
        self.assertEqual((status, last), (0, "4 checks, 0 wrong"))
        self.assertEqual([row.split()[0] for row in rows], ["holds", "ends", "breaks", "holds"])
        self.assertGreater(int(rows[0].split()[2].replace(",", "")), 5)

    def test_everything_else_is_wrong_and_one_is_enough(self):
        lines = [RIGHT[0], *WRONG]
        status, rows, last = self.check(lines)
        self.assertEqual((status, last), (1, "9 checks, 8 wrong"))
        self.assertNotIn("WRONG", rows[0])
        for line, row in zip(lines[1:], rows[1:]):
            with self.subTest(line=line):
                self.assertIn(" " + WRONG[line], row)
                self.assertTrue(row.endswith("<-- WRONG"))

    def test_a_model_without_checks_is_an_error(self):
        status, _, last = self.check(["nothing: here"])
        self.assertNotEqual(status, 0)
        self.assertIn("names no check", last)


if __name__ == "__main__":
    unittest.main()
