#!/bin/sh
# Runs a program and checks that it succeeds and prints a given text:
# run_and_expect.sh PROGRAM TEXT [ARGUMENT...]
program=$1 expected=$2
shift 2
output=$("$program" "$@") || { echo "$program failed with status $?"; exit 1; }
printf '%s\n' "$output"
case "$output" in
  *"$expected"*) ;;
  *) echo "expected to see: $expected"; exit 1 ;;
esac
