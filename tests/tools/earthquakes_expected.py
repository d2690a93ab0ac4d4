#!/usr/bin/env python3
"""What the table of the demo must say, computed from the records alone and without Weir.

    earthquakes_expected.py earthquakes.jsonl [LATE_AFTER_MS]

Prints one JSON object: network -> numbers, plus "total" over all of them. Written apart from the
plugin and the table on purpose: it collects whole lists and looks at them at the end, where the
plugin keeps a running State.
"""

import json
import sys


def summary(events, late_after_ms):
    """The numbers of a list of (arrival in ms, event), in the order of arrival."""
    delays = [arrival - event["time"] for arrival, event in events]
    late = [delay for delay in delays if delay > late_after_ms]
    measured = [event for _, event in events if event["mag"] is not None]
    # sorted() is stable: of equally strong events the one that arrived first comes first.
    strongest = sorted(measured, key=lambda event: -event["mag"])[:1]
    return {
        "events": len(events),
        "strongest": {name: strongest[0][name] for name in ("id", "mag", "place", "time")}
                     if strongest else None,
        "late": len(late),
        "late_mean_ms": sum(late) // len(late) if late else 0,
        "late_max_ms": max(late, default=0),
    }


def expected(path, late_after_ms=3_600_000):
    with open(path, encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    arrivals = [(record["timestamp"], record["value"]) for record in records]
    networks = sorted({event["net"] for _, event in arrivals})
    result = {net: summary([(at, event) for at, event in arrivals if event["net"] == net],
                           late_after_ms)
              for net in networks}
    result["total"] = summary(arrivals, late_after_ms)
    return result


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    json.dump(expected(sys.argv[1], *map(int, sys.argv[2:])), sys.stdout, indent=1,
              ensure_ascii=False)
    print()
