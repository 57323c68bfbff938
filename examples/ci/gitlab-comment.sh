#!/bin/sh
# Puts a file of markdown under the merge request of this pipeline, in the place of the one before.
set -eu

notes="$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes"
mark=$(head -n 1 "$1")

call() {
    curl --fail --silent --show-error --header "PRIVATE-TOKEN: $COMMENT_TOKEN" "$@"
}

before=$(call "$notes?per_page=100" | python3 -c '
import json, sys
print(next((note["id"] for note in json.load(sys.stdin) if note["body"].startswith(sys.argv[1])), ""))' "$mark")
if [ -n "$before" ]; then
    call --request PUT --data-urlencode "body@$1" "$notes/$before" > /dev/null
else
    call --data-urlencode "body@$1" "$notes" > /dev/null
fi
