"""A Slurm cluster of this one machine: controller, node and key server as root, without systemd."""

import os
import re
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from _pipeline.machine import lacking, need_programs, run

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_min_interval=100000,sched_interval=1
ReturnToService=2
# Finished jobs stay known for a while, so that a test can ask about them.
MinJobAge=600
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={megabytes} Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=accelerated Nodes=ALL MaxTime=INFINITE State=UP
"""


POLLING = "executor.pollInterval = '1 sec'\nexecutor.queueStatInterval = '2 sec'\nexecutor.submitRateLimit = null\n"
"""Configuration of a run: short jobs are looked after often."""


def name_of(script: str) -> str:
    """Return the name of a task, process and tag, from the script that Nextflow starts it by."""
    return re.search(r"### name: '(.*)'", script)[1].split(":")[-1]


def jobs(folder: Path) -> dict[str, list[str]]:
    """Return the header that every task of a run was submitted with, by the task's name."""
    scripts = [script.read_text() for script in folder.glob("work/*/*/.command.run")]
    return {name_of(text): re.findall(r"#SBATCH (.*)", text) for text in scripts}


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start a cluster whose node pretends to have a GPU, and yield the environment its commands need."""
    need_programs(*PROGRAMS, packages=("slurm-wlm", "munge"))
    if os.geteuid() != 0:
        lacking("a Slurm cluster of one's own: its daemons need root")
    _configure(folder)
    environment = {"SLURM_CONF": str(folder / "slurm.conf")}
    try:
        run("munged", "--force", *(f"--{name}={folder / file}" for name, file in MUNGE_FILES.items()))
        for daemon in ("slurmctld", "slurmd"):
            run(daemon, env=os.environ | environment)
        _wait_until_idle(os.environ | environment, folder)
        yield environment
    finally:
        for daemon in ("slurmd", "slurmctld", "munged"):
            with suppress(FileNotFoundError, ProcessLookupError, ValueError):
                os.kill(int((folder / f"{daemon}.pid").read_text()), signal.SIGTERM)


MUNGE_FILES = {
    "socket": "munge.socket",
    "key-file": "munge.key",
    "pid-file": "munged.pid",
    "log-file": "munged.log",
    "seed-file": "munged.seed",
}


def _configure(folder: Path) -> None:
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "gpu").touch()
    (folder / "munge.key").write_bytes(secrets.token_bytes(1024))
    (folder / "munge.key").chmod(0o400)
    host = socket.gethostname().split(".")[0]
    controller_port, node_port = _free_ports(2)
    pages, page_size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    (folder / "slurm.conf").write_text(
        CONFIGURATION.format(
            folder=folder,
            host=host,
            controller_port=controller_port,
            node_port=node_port,
            cpus=os.cpu_count(),
            megabytes=pages * page_size * 9 // 10 // 2**20,
        )
    )
    (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu File={folder / 'gpu'}\n")


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_until_idle(environment: dict[str, str], folder: Path) -> None:
    for _ in range(120):
        if "idle" in run("sinfo", "--noheader", "--format=%t", check=False, env=environment).stdout:
            return
        time.sleep(0.5)
    log = (folder / "slurmctld.log").read_text()[-1000:]
    raise RuntimeError(f"Slurm's node did not become idle: {log}")
