#!/usr/bin/env python3
"""Turns a USGS summary feed (GeoJSON) into records as `weir produce` takes them, a line each.

    make_jsonl.py earthquakes.json > earthquakes.jsonl

Each event of the feed becomes one record, in the order in which the feed heard of it:
  key        the seismic network that reported it
  timestamp  when the feed last updated it (milliseconds): the moment it reached us
  value      the event, flat, with the feed's own names; what the feed does not know stays null
The event's own time is `time` in the value, so the distance between the two is real lateness.
"""

import json
import sys

PROPERTIES = ("net", "mag", "magType", "place", "time", "updated", "status", "type", "felt",
              "tsunami", "sig")


def record(feature):
    properties = feature["properties"]
    longitude, latitude, depth = feature["geometry"]["coordinates"]
    value = {"id": feature["id"]}
    value.update((name, properties[name]) for name in PROPERTIES)
    value.update(longitude=longitude, latitude=latitude, depth=depth)
    return {"key": properties["net"], "timestamp": properties["updated"], "value": value}


def main(arguments):
    if len(arguments) != 1:
        sys.exit(__doc__)
    with open(arguments[0], encoding="utf-8") as file:
        records = [record(feature) for feature in json.load(file)["features"]]
    records.sort(key=lambda r: (r["timestamp"], r["value"]["id"]))
    for line in records:
        print(json.dumps(line, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main(sys.argv[1:])
