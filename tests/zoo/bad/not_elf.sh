#!/bin/sh
# not_elf.sh GOOD BAD: a text file under a library's name.
echo 'this is no library' > "$2"
