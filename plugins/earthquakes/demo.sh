#!/bin/sh
# The demo behind `./dev demo`: demo.sh BUILD DIRECTORY [--kafka SERVERS] [--format json]
#
# With --kafka the records and features go through the Kafka at SERVERS; without, through Weir's own
# log.
#
# Makes DIRECTORY anew with the app in it, replays the week of earthquakes through the host and
# shows what became of it. On a terminal the replay takes DEMO_SECONDS (15) and the table fills before
# your eyes; without one, or with --format json, it goes as fast as the machine can.
# Data goes to stdout, talk to stderr.
set -eu

here=$(dirname -- "$0")
build=$1
directory=$2
shift 2
kafka=
if [ "${1-}" = --kafka ]; then
  kafka=$2
  shift 2
fi
format=text
if [ "${1-}" = --format ]; then
  format=$2
fi
weir=$build/weir
app=$directory/earthquakes.yaml
data=$here/data/earthquakes.jsonl
records=$(wc -l <"$data")
replay_seconds=${DEMO_SECONDS-15}

say() { printf '%s\n' "$*" >&2; }
table() { python3 "$here/table.py" --weir "$weir" --app "$app" "$@"; }

# The app as its author would ship it: one YAML, and the plugin beside it.
rm -rf -- "$directory"
mkdir -p -- "$directory"
cp -- "$here/earthquakes.yaml" "$build/plugins/earthquakes/earthquakes.so" "$directory"

if [ -n "$kafka" ]; then
  sed "s/^log:.*/log: {kafka: {brokers: [$kafka]}}/" "$here/earthquakes.yaml" >"$app"
  # A host waits for no topic: it wants its sources' there.
  "$weir" produce earthquakes -c "$app" </dev/null
fi

if [ -t 1 ] && [ "$format" = text ]; then
  say "A week of earthquakes in $replay_seconds seconds: $records records from 12 seismic networks."
  "$weir" run -c "$app" 2>"$directory/host.log" &
  host=$!
  # However this script ends, nothing that it started goes on.
  trap 'kill "$host" 2>/dev/null || true' EXIT
  trap 'exit 130' INT TERM
  "$weir" produce earthquakes -c "$app" --rate "$((records / replay_seconds))" "$data" \
    2>"$directory/produce.log" &
  producer=$!
  trap 'kill "$host" "$producer" 2>/dev/null || true' EXIT
  table --watch "$records" || { tail -n 20 "$directory/host.log" "$directory/produce.log" >&2; exit 1; }
  wait "$producer"
  kill -TERM "$host"
  wait "$host" || { cat "$directory/host.log" >&2; exit 1; }
  trap - EXIT
else
  "$weir" produce earthquakes -c "$app" "$data"
  "$weir" run -c "$app" --until-end
  table --format "$format"
fi
if [ "$format" = json ]; then
  exit 0
fi

say ''
say "The State of one key, read back from LMDB (weir state get us -c $app):"
"$weir" state get us -c "$app" | python3 -m json.tool --no-ensure-ascii

sh "$here/second_act.sh" "$build" "$directory"

if [ -n "$kafka" ]; then
  say ''
  say "What came out, read back from Kafka (weir consume earthquake-summaries -c $app):"
  "$weir" consume earthquake-summaries -c "$app" >"$directory/summaries.jsonl"
  tail -n 3 "$directory/summaries.jsonl"
  say "and $(wc -l <"$directory/summaries.jsonl") lines in all in $directory/summaries.jsonl"
  exit 0
fi

# Quotes only where a shell needs them, so that the lines can be copied.
shown() {
  case $1 in
    *[!A-Za-z0-9_./-]*) printf "'%s'" "$1" ;;
    *) printf '%s' "$1" ;;
  esac
}
weir=$(shown "$weir")
app=$(shown "$app")
cat >&2 <<END

Go on with:
  $weir state list -c $app
  $weir consume earthquake-summaries -c $app --limit 3
  $weir validate -c $app
  $weir plugin inspect $(shown "$directory/earthquakes.so")
  # the same week once more, counted on top of the first:
  $weir produce earthquakes -c $app $(shown "$data")
  $weir run -c $app --until-end
The resolver is $here/earthquakes.cpp; its app is $app.
END
