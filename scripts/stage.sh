#!/usr/bin/env bash
# Runs one stage of the gate, which is a target of the Makefile: scripts/stage.sh TARGET [NAME=VALUE…]
#
# In the folder $LOGS it leaves the output of the stage, a row for the table, and the names of tests that
# passed only when they ran again alone. After a failed stage no other begins, unless GOES_ON is set.
set -uo pipefail

target=$1 name="make $*"
[[ -z ${GOES_ON:-} && -e $LOGS/failed ]] && exit 1
log=$LOGS/$target.log
began=$(($(date +%s) - $(<"$LOGS/began")))
echo "== $name: begins after $began s"

# The stage is a make of its own: it gets neither the jobs nor the options of the one that runs the lanes,
# nor their variables, which the gate's own tests would find.
unset MAKEFLAGS MFLAGS MAKELEVEL GNUMAKEFLAGS MAKEOVERRIDES
code=0
TIMEFORMAT='%R %U %S'
{ time env -u LOGS -u GOES_ON -u NIGHT -u NEWEST -u SUITES -u QUICK make "$@" >"$log" 2>&1 </dev/null; } 2>"$log.seconds" || code=$?
read -r seconds spent <<<"$(LC_ALL=C awk 'END { printf "%.0f %.0f", $1, $2 + $3 }' "$log.seconds")"
rm "$log.seconds"

# What failed in the first run stands above the line that begins the second one (ONCE_MORE in the Makefile).
if ((code == 0)) && grep -q '^== by themselves:' "$log"; then
    sed '/^== by themselves:/q' "$log" | grep -E '^(FAILED|ERROR) ' | sed "s/^/$target: /" >>"$LOGS/once-more"
fi

result=right
((code)) && result="FAILED with exit code $code"
printf '%-58s %7s %8s %10s  %s\n' "${name:0:58}" "$began" "$seconds" "$spent" "$result" >>"$LOGS/rows"
shown=25
((code)) && { echo "$name" >>"$LOGS/failed"; shown=300; }
# One write: the other lane prints, too.
printf '%s\n' "
== $name: $result after $seconds s; its output: $log
$(tail -n "$shown" "$log")"
exit "$code"
