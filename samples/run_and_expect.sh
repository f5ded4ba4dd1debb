#!/bin/sh
# Runs a program and checks that it succeeds and prints a given text: run_and_expect.sh PROGRAM TEXT
output=$("$1") || { echo "$1 failed with status $?"; exit 1; }
printf '%s\n' "$output"
case "$output" in
  *"$2"*) ;;
  *) echo "expected to see: $2"; exit 1 ;;
esac
