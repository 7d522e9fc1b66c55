#!/usr/bin/env bash
# Logs a run with curl alone: create, log, finish, search, and a file beside it.
#
#   MLFLOW_TRACKING_URI=http://127.0.0.1:5000 examples/curl.sh
#
# A server that asks for tokens takes one from MLFLOW_TRACKING_TOKEN.
set -euo pipefail

uri=${MLFLOW_TRACKING_URI:-http://127.0.0.1:5000}
options=(--silent --show-error --fail)
if [[ -n ${MLFLOW_TRACKING_TOKEN:-} ]]; then options+=(--header "Authorization: Bearer $MLFLOW_TRACKING_TOKEN"); fi

post() {
  curl "${options[@]}" --header 'Content-Type: application/json' --data "$2" "$uri/api/2.0/mlflow/$1"
}

# The value of a text field in a JSON answer; jq does this better where it is installed.
field() {
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

now=$(($(date +%s) * 1000))
experiment=$(post experiments/create "{\"name\": \"curl $now\"}" | field experiment_id)
run=$(post runs/create "{\"experiment_id\": \"$experiment\", \"run_name\": \"from curl\", \"start_time\": $now}" | field run_id)

post runs/log-parameter "{\"run_id\": \"$run\", \"key\": \"rate\", \"value\": \"0.1\"}" > /dev/null
for step in 1 2 3; do
  post runs/log-metric "{\"run_id\": \"$run\", \"key\": \"loss\", \"value\": 0.$((9 - step)), \"step\": $step, \"timestamp\": $now}" > /dev/null
done

echo 'logged with curl' |
  curl "${options[@]}" --upload-file - "$uri/api/2.0/mlflow-artifacts/artifacts/$experiment/$run/artifacts/note.txt"

post runs/update "{\"run_id\": \"$run\", \"status\": \"FINISHED\", \"end_time\": $now}" > /dev/null

echo "The best runs of experiment $experiment:"
post runs/search "{\"experiment_ids\": [\"$experiment\"], \"filter\": \"metrics.loss < 0.7\", \"order_by\": [\"metrics.loss\"]}"
echo
