#!/usr/bin/env python3
"""The States of the earthquakes app as a table.

    table.py --weir WEIR --app YAML [--format text|json]     the table, once
    table.py --weir WEIR --app YAML --events                 how many events are in it
    table.py --weir WEIR --app YAML --watch EVENTS           redrawn in place until so many events
                                                             are in it

Reads `weir state export`, so it works while the host runs and after it has gone.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time

NAMES = {
    "ak": "Alaska", "ci": "Southern California", "hv": "Hawaii", "mb": "Montana",
    "nc": "Northern California", "nm": "New Madrid", "nn": "Nevada", "pr": "Puerto Rico",
    "se": "Southeastern US", "us": "USGS, worldwide", "uu": "Utah", "uw": "Pacific Northwest",
}
STILL_SECONDS_MAX = 20


def states(weir, app):
    """(network -> State as JSON, ""), or (None, why not)."""
    done = subprocess.run([weir, "state", "export", "-c", app, "--format", "json"],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["key"]: line["state"] for line in lines}, ""


def strongest(state):
    found = state.get("strongest")
    if found is None:
        return None
    # Protobuf's JSON writes int64 as strings and leaves out what has its default value.
    return {"id": found.get("id", ""), "mag": found.get("mag", 0), "place": found.get("place", ""),
            "time": int(found.get("time", 0))}


def integer(state, field):
    return int(state.get(field, 0))


def row(state):
    late = integer(state, "late")
    return {"events": integer(state, "events"), "strongest": strongest(state), "late": late,
            "late_mean_ms": integer(state, "lateTotalMs") // late if late else 0,
            "late_max_ms": integer(state, "lateMaxMs")}


def total(found):
    """The same numbers over all networks."""
    late = sum(integer(state, "late") for state in found)
    quakes = [quake for quake in map(strongest, found) if quake]
    return {"events": sum(integer(state, "events") for state in found),
            "strongest": max(quakes, key=lambda quake: quake["mag"], default=None),
            "late": late,
            "late_mean_ms":
                sum(integer(state, "lateTotalMs") for state in found) // late if late else 0,
            "late_max_ms": max((integer(state, "lateMaxMs") for state in found), default=0)}


def numbers(found):
    """What --format json prints, and what the text shows."""
    rows = {net: row(found[net]) for net in sorted(found)}
    rows["total"] = total(found.values())
    return rows


def duration(ms):
    """Its two largest units, rounded down: `6d 16h`, `2h 07m`, `9m`."""
    minutes = ms // 60000
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days}d {hours:02}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m"


def text(rows, width=100):
    """The table as lines of at most `width` columns; places give way."""
    strongest_width = max(12, width - 56)
    lines = [f"{'NETWORK':<24}{'EVENTS':>6}  {'STRONGEST':<{strongest_width}}"
             f"{'LATE':>6}{'MEAN':>9}{'WORST':>9}"]
    by_events = sorted((net for net in rows if net != "total"),
                       key=lambda net: (-rows[net]["events"], net))
    for net in by_events + ["total"]:
        line = rows[net]
        quake = line["strongest"]
        where = f"M {quake['mag']:<5g}{quake['place']}" if quake else "-"
        name = "all" if net == "total" else f"{net}  {NAMES.get(net, '')}"
        mean, worst = (duration(line[field]) if line["late"] else "-"
                       for field in ("late_mean_ms", "late_max_ms"))
        lines.append(f"{name:<24}{line['events']:>6}  "
                     f"{where[:strongest_width]:<{strongest_width}}"
                     f"{line['late']:>6}{mean:>9}{worst:>9}")
    lines.append("LATE: known longer after it happened than `late_after`; "
                 "MEAN, WORST: how long.")
    return lines


def watch(arguments):
    """Redraws in place until all events are in; gives up when none comes any more."""
    seen, moved = -1, 0.0
    drawn = 0
    while True:
        found, problem = states(arguments.weir, arguments.app)
        rows = numbers(found or {})
        events = rows["total"]["events"]
        filled = 40 * min(events, arguments.watch) // arguments.watch
        lines = text(rows, shutil.get_terminal_size().columns)
        lines.append(f"[{'#' * filled}{'.' * (40 - filled)}] {events} of {arguments.watch} events")
        # Up to where the last drawing began, and clear from there.
        print((f"\x1b[{drawn}A\x1b[J" if drawn else "") + "\n".join(lines), flush=True)
        drawn = len(lines)
        if events >= arguments.watch:
            return 0
        if events != seen:
            seen, moved = events, time.monotonic()
        elif time.monotonic() - moved > STILL_SECONDS_MAX:
            sys.exit(f"table.py: no new event for {STILL_SECONDS_MAX} s; is the host alive?\n"
                     f"{problem}")
        time.sleep(0.25)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True, help="the program")
    parser.add_argument("--app", required=True, help="the app's YAML")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--events", action="store_true")
    parser.add_argument("--watch", type=int, metavar="EVENTS")
    arguments = parser.parse_args()
    if arguments.watch:
        return watch(arguments)
    found, problem = states(arguments.weir, arguments.app)
    if found is None:
        sys.exit(f"table.py: no States to show\n{problem}")
    if arguments.events:
        print(numbers(found)["total"]["events"])
    elif arguments.format == "json":
        json.dump(numbers(found), sys.stdout, indent=1, ensure_ascii=False)
        print()
    else:
        print(*text(numbers(found)), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
