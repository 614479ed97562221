"""Real processes joined by real pipes, on real data where it is there."""

import os
import pty
import signal
import subprocess

import anndata
import pytest

from _support import SHARED_TABLES, SIGNATURE, command, invoke, run, shared, start

pytestmark = pytest.mark.slow


def pipe(*steps, source=None):
    """Run verbs joined by pipes; return the last one's output and every exit code."""
    processes = []
    feed = subprocess.DEVNULL if source is None else source.open("rb")
    for step in steps:
        process = subprocess.Popen(command(*step), stdin=feed, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if feed is not subprocess.DEVNULL:
            feed.close()
        feed = process.stdout
        processes.append(process)
    output = processes[-1].stdout.read()
    for process in processes:
        process.stderr.read()
        process.stderr.close()
        process.stdout.close()
    return output, [process.wait() for process in processes]


@pytest.mark.parametrize("name", SHARED_TABLES)
def test_streams_and_files_give_the_same_bytes(name, tmp_path):
    """Real processes for one of them: what differs between data sets is how they are read."""
    source = shared(name)
    table, masked = tmp_path / "table.h5ad", tmp_path / "masked.h5ad"
    assert invoke("preprocess", source, "-o", table, "--n-genes", 200).exit_code == 0
    assert invoke("mask", table, "-o", masked, "--seed", 1).exit_code == 0
    steps = (["preprocess", "--n-genes", 200], ["mask", "--seed", 1])
    output = invoke(*steps[1], stdin=invoke(*steps[0], stdin=source.read_bytes()).stdout_bytes).stdout_bytes
    assert output == masked.read_bytes()
    if name == SHARED_TABLES[0]:
        assert pipe(*steps, source=source) == (output, [0, 0])


@pytest.mark.parametrize("name", SHARED_TABLES)
def test_scanpy_reads_what_we_write_without_a_warning(name, tmp_path):
    """Warnings are errors in these tests."""
    assert invoke("preprocess", shared(name), "-o", tmp_path / "table.h5ad").exit_code == 0
    assert invoke("mask", tmp_path / "table.h5ad", "--null-genes", 5, "-o", tmp_path / "masked.h5ad").exit_code == 0
    for path in tmp_path.iterdir():
        adata = anndata.read_h5ad(path)
        assert adata.uns["log1p"]["base"] == 2
        assert adata.n_vars >= 1000


def test_a_step_that_fails_sends_nothing_on(counts_file):
    output, codes = pipe(["preprocess", "--min-cells", 1000], ["mask"], source=counts_file)
    assert codes == [3, 3]
    assert output == b""


def test_a_reader_that_stops_early_ends_it_quietly(counts_file):
    process = start("preprocess", "-q", counts_file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() == 128 + signal.SIGPIPE
    assert [line for line in said.splitlines() if "warning: 1000 genes" not in line] == []


def test_binary_never_goes_to_a_terminal(counts_file):
    controller, terminal = pty.openpty()
    done = subprocess.run(command("preprocess", counts_file), stdout=terminal, stderr=subprocess.PIPE, check=False)
    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2
    assert b"binary data is not written to a terminal; name a file with -o" in done.stderr


def test_a_terminal_is_no_input():
    controller, terminal = pty.openpty()
    done = subprocess.run(command("preprocess"), stdin=terminal, capture_output=True, check=False)
    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2
    assert b"no input: name a file, or send one through a pipe" in done.stderr
    assert done.stdout == b""


def test_process_substitution(counts_file, tmp_path):
    """`scinfill preprocess <(zcat counts.h5ad.gz)` hands over a pipe by name."""
    script = '"$@" <(cat "$SOURCE") -o "$TARGET"'
    environment = {**os.environ, "SOURCE": str(counts_file), "TARGET": str(tmp_path / "out.h5ad")}
    subprocess.run(["bash", "-c", script, "bash", *command("preprocess", "-q")], env=environment, check=True)
    assert (tmp_path / "out.h5ad").read_bytes().startswith(SIGNATURE)


def test_a_closed_standard_output(counts_file):
    done = subprocess.run(
        ["bash", "-c", '"$@" >&-', "bash", *command("preprocess", counts_file)], capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"standard output is closed" in done.stderr


def test_a_device_as_output(counts_file):
    assert run("preprocess", counts_file, "-o", "/dev/null").returncode == 0


def test_standard_output_by_its_device_name(counts_file):
    done = run("preprocess", counts_file, "-o", "/dev/stdout")
    assert done.returncode == 0
    assert done.stdout.startswith(SIGNATURE)
