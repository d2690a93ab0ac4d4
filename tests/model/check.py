#!/usr/bin/env python3
"""Checks models with spin: all states of each situation that a model names.

    check.py WORK_DIRECTORY MODEL...

A model names its checks in lines of a comment; ARGUMENTS are spin's, mostly -D switches:

    holds: ARGUMENTS            every assertion holds in every state, no state is a dead end
    ends: ARGUMENTS             there is no way to go on for ever
    breaks NAME: ARGUMENTS      spin finds a way to violate `assert(NAME)`

Prints a table. Exit status 1: some result is not the expected one, or a search was not complete.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

CHECK = re.compile(r"^[ /*]*(holds|ends|breaks (\w+)): *(.*?)[ *]*/?$", re.MULTILINE)
DEPTH_MAX = 100000


@dataclasses.dataclass
class Check:
    model: pathlib.Path
    expected: str  # "holds", "ends", "breaks NAME"
    arguments: str
    result: str = ""
    states: str = ""


def read_checks(model):
    found = [Check(model, kind, arguments) for kind, _, arguments in CHECK.findall(model.read_text())]
    if not found:
        sys.exit(f'{model} names no check: there is no line "holds: ARGUMENTS"')
    return found


def run(check, directory):
    """Fills in the result: what spin says of this model under these arguments."""
    ends = check.expected == "ends"
    # A search that ends at the first violation is over before an optimizer has paid.
    optimize = "-O0" if check.expected.startswith("breaks") else "-O2"

    def call(*command):
        return subprocess.run(command, cwd=directory, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    for command in (["spin", "-a", *shlex.split(check.arguments), check.model.resolve()],
                    ["gcc", optimize, "-w", "-DCOLLAPSE", "-DNP" if ends else "-DSAFETY",
                     "-o", "pan", "pan.c"]):
        done = call(*command)
        if done.returncode != 0:
            check.result = f"{command[0]} refuses it: {' '.join(done.stdout.split())}"
            return
    output = call("./pan", f"-m{DEPTH_MAX}", "-w24", *(["-l"] if ends else [])).stdout
    check.result = result_of(output, ends)
    states = re.search(r"^ *([\d.e+]+) states, stored", output, re.MULTILINE)
    check.states = f"{int(float(states[1])):,}" if states else ""


def result_of(output, ends):
    violated = re.search(r"^pan:\d+: (.*?) \(at depth", output, re.MULTILINE)
    if violated:
        name = re.fullmatch(r"assertion violated \(?(\w+)\)?", violated[1])
        return f"breaks {name[1]}" if name else violated[1]
    if re.search(r"max search depth too small|out of memory|Search not completed", output):
        return "not every state was searched"
    if not re.search(r"errors: 0$", output, re.MULTILINE):
        return "no verdict: " + " ".join(output.split())
    return "ends" if ends else "holds"


def main(work, models):
    checks = [check for model in models for check in read_checks(pathlib.Path(model))]
    pathlib.Path(work).mkdir(parents=True, exist_ok=True)
    wrong = 0
    print(f"{'expected':30}{'result':30}{'states':>11}  situation", flush=True)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        directories = [pathlib.Path(scratch) / str(number) for number in range(len(checks))]
        for directory in directories:
            directory.mkdir()
        jobs = int(os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or os.cpu_count() or 1)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for check, _ in zip(checks, pool.map(run, checks, directories)):
                right = check.result == check.expected
                wrong += not right
                print(f"{check.expected:30}{check.result:30}{check.states:>11}  "
                      f"{check.model.name} {check.arguments}{'' if right else '  <-- WRONG'}",
                      flush=True)
    print(f"{len(checks)} checks, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
