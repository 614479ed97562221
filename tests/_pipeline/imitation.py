"""A program called scinfill that answers at once, for tests of what the pipeline makes of its exit codes."""

from pathlib import Path

SCRIPT = """\
#!/bin/sh
# Says its version; otherwise writes whatever it is asked for. Some samples have a fate of their own.
if [ "$1" = --version ]; then echo "scinfill, version 0.0.0"; exit; fi
verb=$1
while [ $# -gt 0 ]; do
    case $1 in
        -o) output=$2 ;;
        --figures) mkdir "$2" && touch "$2/one.svg" ;;
        --table) touch "$2" ;;
    esac
    shift
done
case $verb-$output in
    preprocess-wrong*)
        echo "scinfill preprocess: error: X holds NaN" >&2
        exit 3 ;;
    inspect-unreadable*)
        echo "scinfill inspect: error: no HDF5 file" >&2
        exit 3 ;;
    join-lab*|preprocess-lab*)
        echo "scinfill $verb: warning: 1 of 2 genes is not there" >&2
        echo "scinfill $verb: 5 cells" >&2 ;;
    preprocess-killed*)
        kill -9 $$ ;;
esac
mkdir -p "$(dirname "$output")"
case $verb in
    # Of two samples the second has no cell left.
    split) mkdir "$output" && touch "$output/first.h5ad" ;;
    inspect) echo '{"obs": ["cell_type"]}' > "$output" ;;
    *) echo '{}' > "$output" ;;
esac
"""


def write(folder: Path) -> Path:
    """Write the program into a folder for PATH, and return that folder."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "scinfill").write_text(SCRIPT)
    (programs / "scinfill").chmod(0o755)
    return programs
