"""The app of the meter, and the builds of its plugin, for the programs that reload it."""

import harness

YAML = """
app: meter
plugins: [meter.so]
sources:
  readings: {topic: readings, partitions: 3}
resolvers:
  measure: {use: meter/measure, from: readings, to: {"*": measured}}
sinks:
  measured: {topic: measured}
state: {commit: {interval: 20ms}}
reload: {probation: %s}
"""


def build(name):
    return harness.PLUGINS / f"meter_{name}.so"
