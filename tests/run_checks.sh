#!/usr/bin/env bash
# All checks, every one of them even if one fails, and a summary in plain words. `make test` calls it.
set -u
bin=${BIN:?the folder with python, pytest and ruff}
failed=()
# Tests and the processes that they start read the same modules: compiled once, whatever the environment says.
unset PYTHONDONTWRITEBYTECODE

check() {
    local name=$1
    shift
    printf '\n== %s\n' "$name"
    if ! "$@"; then
        failed+=("$name")
        return 1
    fi
}

check "format" "$bin/ruff" format --check .
check "lint" "$bin/ruff" check .
check "imports" "$bin/lint-imports"
# Types keep one core busy for a while where nothing is in their cache: beside the tests, and told after them.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
check "types" "$bin/mypy" >"$said" 2>&1 &
types=$!
# A process for each core, up to four: each of them loads TensorFlow.
check "tests" "$bin/pytest" --numprocesses auto --maxprocesses 4 --durations 10 "$@"
wait "$types" || failed+=("types")
cat "$said"

printf '\n== Summary\n'
if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
printf 'All checks passed: format, lint, imports, types, tests.\n'
