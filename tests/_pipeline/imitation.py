"""A program called scinfill that answers at once, for tests of what the pipeline makes of its exit codes."""

from pathlib import Path

SCRIPT = """\
#!/bin/sh
# Says its version; otherwise writes whatever it is asked for. Two samples have a fate of their own.
if [ "$1" = --version ]; then echo "scinfill, version 0.0.0"; exit; fi
verb=$1
while [ $# -gt 0 ]; do
    case $1 in
        -o) output=$2 ;;
        --figures) mkdir "$2" ;;
        --table) touch "$2" ;;
    esac
    shift
done
case $verb-$output in
    preprocess-wrong*)
        echo "scinfill preprocess: error: X holds NaN" >&2
        exit 3 ;;
    preprocess-killed*)
        kill -9 $$ ;;
esac
mkdir -p "$(dirname "$output")"
echo '{}' > "$output"
"""


def write(folder: Path) -> Path:
    """Write the program into a folder for PATH, and return that folder."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "scinfill").write_text(SCRIPT)
    (programs / "scinfill").chmod(0o755)
    return programs
