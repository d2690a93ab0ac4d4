#!/bin/sh
# wrong_machine.sh GOOD BAD: e_machine, at byte 18, says RISC-V.
cp "$1" "$2"
printf '\363\000' | dd of="$2" bs=1 seek=18 conv=notrunc 2> /dev/null
