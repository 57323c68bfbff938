#!/bin/sh
# What the pipelines of github.yml and gitlab-ci.yml call, and what you can call by hand.
#
#   pipeline.sh check        a pull request: valid, formatted, tested; the plan for people and for the merge
#   pipeline.sh apply PLAN   the merge: the plan that was reviewed, and no other
#   pipeline.sh plan-name    what a plan is filed under, so that the merge finds the one of its pull request
#
# In $OUT (default: out) it leaves plan.md, the comment; plan.json, the saved plan; tests.xml, JUnit; and after an apply
# credentials/, what was generated, encrypted for $RECIPIENTS, a file of age keys, when that is set.
# $PLAN_OPTIONS are options of `reconciler plan`, such as "--prune".
# $RECONCILER_STATE and $RECONCILER_TOKEN say where the gateway is and who asks.
set -eu

out=${OUT:-out}

check() {
    mkdir -p "$out"
    if [ -n "${GITHUB_ACTIONS:-}" ]; then
        reconciler validate -o github
    else
        reconciler validate
    fi
    reconciler fmt --check
    reconciler test --junit "$out/tests.xml"
    # One plan, in both forms: a second one could be another. Options are words.
    # shellcheck disable=SC2086
    reconciler plan ${PLAN_OPTIONS:-} -o markdown --out "$out/plan.json" > "$out/plan.md"
}

apply() {
    mkdir -p "$out"
    # The plan came from a pull request's pipeline, which its author could change. So it is made again here, from the
    # main branch, and has to be the same; what is applied is what was reviewed and what the configuration says.
    # shellcheck disable=SC2086
    reconciler plan ${PLAN_OPTIONS:-} --out "$out/now.json" > /dev/null
    if [ "$(digest_of "$1")" != "$(digest_of "$out/now.json")" ]; then
        echo "The plan is not the one that was reviewed; the live side moved, or main did. Open it for review again." >&2
        exit 1
    fi
    began=$(date +%s)
    reconciler apply "$1"
    if [ -n "${RECIPIENTS:-}" ]; then
        since=$(($(date +%s) - began + 1))s
        reconciler credentials deliver accounts --since "$since" --recipients "$RECIPIENTS" --into "$out/credentials"
    fi
}

digest_of() {
    sed -n 's/^  "digest": "\([0-9a-f]*\)",$/\1/p' "$1"
}

plan_name() {
    # The configuration's own folder: whatever else moves in the repository leaves the plan as it is.
    echo "plan-$(git rev-parse "HEAD:./")"
}

case "${1:-}" in
    check) check ;;
    apply) apply "${2:?which plan?}" ;;
    plan-name) plan_name ;;
    *)
        sed -n 's/^# \{0,1\}//; 2,6p' "$0" >&2
        exit 64
        ;;
esac
