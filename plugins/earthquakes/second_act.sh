#!/bin/sh
# The demo's second act: second_act.sh BUILD DIRECTORY, after demo.sh has filled DIRECTORY.
#
# The week comes again and again while the plugin is replaced by its next version, while a build that
# must not run is refused, and while a record crashes the plugin. A line after each says how far the
# stream is; at the end every record is counted once. Talks to stderr; ends with 1 when a step did not
# do what it says.
set -eu

here=$(dirname -- "$0")
build=$1
directory=$2
weir=$build/weir
app=$directory/earthquakes.yaml
data=$here/data/earthquakes.jsonl
records=$(wc -l <"$data")
host=
feeder=

say() { printf '%s\n' "$*" >&2; }
failed() {
  say "second_act.sh: $*"
  tail -n 30 "$directory/second_act.log" >&2
  exit 1
}
# However this script ends, nothing that it started goes on.
end_all() {
  for process in $feeder $host; do kill "$process" 2>/dev/null || true; done
}
trap end_all EXIT
trap 'exit 130' INT TERM

# events: how many events the States of all networks have counted.
events() { python3 "$here/table.py" --weir "$weir" --app "$app" --events; }

# until_more: waits for the stream to have gone on, which it says.
until_more() {
  before=$(events)
  for _ in $(seq 100); do
    now=$(events)
    if [ "$now" -gt "$before" ]; then
      say "  the stream goes on: $now events counted"
      return
    fi
    sleep 0.1
  done
  failed "no event was counted for 10 seconds"
}

# show COMMAND...: what an operator types, and what it says.
show() {
  say "  \$ weir $*"
  status=0
  "$weir" "$@" >"$directory/said" 2>&1 || status=$?
  sed 's/^/    /' "$directory/said" >&2
  return "$status"
}

# A minute in practice; here nobody wants to wait.
echo 'reload: {probation: 1s}' >>"$app"
counted_before=$(events)
"$weir" run -c "$app" --no-progress 2>"$directory/second_act.log" &
host=$!
(
  trap 'exit 0' TERM
  while :; do
    "$weir" produce earthquakes -c "$app" --rate 1000 "$data" 2>/dev/null &
    wait $!
    echo week >>"$directory/weeks"
    if [ -e "$directory/enough" ]; then exit 0; fi
  done
) &
feeder=$!

say ''
say "Second act: the week comes again and again, and the host does not stop for anything."
until_more

say ''
say "1. A new version of the plugin: its State has one field more."
diff "$here/earthquakes.proto" "$here/v2/earthquakes.proto" | grep '^>.*new' >&2 || true
cp -- "$build/plugins/earthquakes/earthquakes_v2.so" "$directory/next.so"
mv -- "$directory/next.so" "$directory/earthquakes.so"
show reload -c "$app" || failed "the new version was refused"
until_more
"$weir" state get us -c "$app" 2>/dev/null | grep -q '"deepestKm"' || failed "the new field is not in the State"

for _ in $(seq 100); do
  if "$weir" plugin history -c "$app" | grep -q promoted; then break; fi
  sleep 0.1
done
show plugin history -c "$app"
grep -q promoted "$directory/said" || failed "its probation has not ended"

say ''
say "2. A build that must not run: somebody found that int32 is enough for a counter."
cp -- "$build/plugins/earthquakes/earthquakes_broken.so" "$directory/next.so"
if show reload -c "$app" --from "$directory/next.so"; then failed "it was not refused"; fi
until_more

say ''
say "3. A record that crashes the plugin: a depth in metres."
printf '%s\n' '{"key": "us", "timestamp": 1517970000000, "value": {"id": "poison", "net": "us",
  "time": 1517969000000, "depth": 10000000}}' | tr -d '\n' |
  "$weir" produce earthquakes -c "$app" 2>/dev/null
for _ in $(seq 100); do
  if "$weir" deadletters list -c "$app" 2>/dev/null | grep -q crashed; then break; fi
  sleep 0.1
done
show deadletters list -c "$app"
grep -q crashed "$directory/said" || failed "the record is not set aside"
show crashes -c "$app"
until_more

say ''
touch "$directory/enough"
wait "$feeder"
feeder=
weeks=$(wc -l <"$directory/weeks")
wanted=$((counted_before + weeks * records))
for _ in $(seq 300); do
  if [ "$(events)" -ge "$wanted" ]; then break; fi
  sleep 0.1
done
kill -TERM "$host"
wait "$host" || failed "the host did not end as it should"
host=
counted=$(events)
say "The week came $weeks times, $((weeks * records)) records: $((counted - counted_before)) counted."
if [ "$counted" -ne "$wanted" ]; then failed "expected $wanted in all, found $counted"; fi
