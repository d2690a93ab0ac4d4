#!/bin/sh
# truncated.sh GOOD BAD: half of the file, as an interrupted copy leaves it.
head -c "$(($(wc -c < "$1") / 2))" "$1" > "$2"
