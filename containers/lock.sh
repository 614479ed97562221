#!/usr/bin/env bash
# Writes the lock files in containers/locks/: every Python package of an image, pinned to one version with the hashes of
# its files, so that a build next year installs what a build today installs, or stops.
# Needs uv on PATH (`pip install uv`). Run it from anywhere after the dependencies in pyproject.toml or scvi/pyproject.toml changed.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# An override whose condition never holds leaves a package out.
# libclang (80 MB): TensorFlow asks for it and never imports it.
echo 'libclang; python_version < "3"' >"$scratch/no-libclang"
# The CPU image has tensorflow-cpu in the place of tensorflow (see README.md for the sizes).
printf '%s\n' 'libclang; python_version < "3"' 'tensorflow; python_version < "3"' >"$scratch/no-tensorflow"
echo 'tensorflow-cpu>=2.16' >"$scratch/tensorflow-cpu"
# triton (1 GB) compiles for GPUs; PyTorch asks for it and does without it.
echo 'triton; python_version < "3"' >"$scratch/no-triton"
echo 'hatchling>=1.24' >"$scratch/build"
echo 'awscli>=1.40' >"$scratch/aws"

# The Python of Debian 12, on a C library no newer than Debian 12's.
lock() { # NAME ARCHITECTURE ARGUMENTS...
    local name=$1 architecture=$2
    shift 2
    uv pip compile --quiet --upgrade --generate-hashes --no-annotate --python-version 3.11 \
        --python-platform "${architecture}-manylinux_2_28" --custom-compile-command containers/lock.sh \
        --output-file "containers/locks/${name}.txt" "$@"
}

lock cpu x86_64 --override "$scratch/no-tensorflow" pyproject.toml "$scratch/tensorflow-cpu"
lock magic x86_64 --override "$scratch/no-tensorflow" --extra magic pyproject.toml "$scratch/tensorflow-cpu"
lock gpu x86_64 --override "$scratch/no-libclang" --extra gpu pyproject.toml
lock arm64 aarch64 --override "$scratch/no-libclang" pyproject.toml
lock scvi x86_64 --override "$scratch/no-triton" containers/scvi/pyproject.toml
lock build x86_64 "$scratch/build"
# The program aws, for images on AWS Batch. The hashes are of every architecture's files, so it serves ARM as well.
lock aws x86_64 "$scratch/aws"
