#!/usr/bin/env bash
# Prints the table of stages that scripts/stage.sh has left in $LOGS, and fails unless all of it is right:
# scripts/report.sh FORGIVEN STAGES, which are how many tests may have passed only in their second run, and
# how many stages there are.
set -uo pipefail

forgiven=$1 stages=$2 code=0
touch "$LOGS/rows" "$LOGS/once-more"
printf '\n%-58s %7s %8s %10s  %s\n' stage begins seconds processor result
sort -n -k1.59 "$LOGS/rows"
printf '%-58s %7s %8s\n\n' all '' "$(($(date +%s) - $(<"$LOGS/began")))"

again=$(wc -l <"$LOGS/once-more")
echo "$again tests failed beside others and passed alone; more than $forgiven fail the gate"
cat "$LOGS/once-more"
ended=$(wc -l <"$LOGS/rows")
((ended == stages)) || { echo "$((stages - ended)) of $stages stages did not run"; code=1; }
((again <= forgiven)) || code=1
[[ -e $LOGS/failed ]] && { echo "failed: $(sort -u "$LOGS/failed" | paste -sd ';')"; code=1; }
echo "the output of each stage: $LOGS"
((code)) && echo "NOT right" || echo "all of it is right"
exit "$code"
