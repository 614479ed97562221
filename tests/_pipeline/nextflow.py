"""Nextflow without its own site: the launcher from PyPI, the jars from Maven Central."""

import csv
import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _pipeline.machine import CACHE, REPOSITORY, lacking, run

VERSION = "25.04.4"
OLDEST_JAVA = 17
ENGINES = ("apptainer", "charliecloud", "conda", "docker", "podman", "singularity")
# Short runs: compiling them well takes longer than running them, and what they leave need not be collected often.
OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmn400m"
POM = f"""\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>scinfill</groupId><artifactId>nextflow-for-tests</artifactId><version>1</version>
  <dependencyManagement><dependencies><dependency>
    <!-- Central has every other part as {VERSION}, this one as 25.04.0 only. -->
    <groupId>io.nextflow</groupId><artifactId>nf-lang</artifactId><version>25.04.0</version>
  </dependency></dependencies></dependencyManagement>
  <dependencies>
    {
    "".join(
        f'''<dependency>
      <groupId>io.nextflow</groupId><artifactId>{name}</artifactId><version>{VERSION}</version>
      <!-- Not on Central, and not needed. -->
      <exclusions><exclusion><groupId>io.seqera</groupId><artifactId>lib-trace</artifactId></exclusion></exclusions>
    </dependency>'''
        for name in ("nextflow", "nf-httpfs")
    )
}
  </dependencies>
</project>
"""


ONE_BY_ONE = """\
import nextflow.cli.Launcher
import nextflow.plugin.Plugins

def (folder, project) = args[0..1]
args.drop(2).eachWithIndex { profiles, number ->
    def usual = System.out
    System.out = new PrintStream(new File(folder, "${number}.json"))
    def chosen = profiles == 'none' ? [] : ['-profile', profiles]
    def status = new Launcher().command(['config', project, '-o', 'json', *chosen] as String[]).run()
    System.out.close()
    System.out = usual
    Plugins.stop()
    assert status == 0
}
"""
"""`nextflow config` for one choice of profiles after the other, in one start of Java."""


@dataclass(frozen=True)
class Outcome:
    """How a call of Nextflow ended."""

    exit_code: int
    output: str

    @property
    def messages(self) -> list[str]:
        """The lines a user reads, without banner and progress."""
        noise = re.compile(r"N E X T F L O W|Launching |\[../......\] |-- Check |scinfill/scinfill \d|\w+ +: |^$")
        return [line for line in map(str.strip, self.output.splitlines()) if not noise.match(line)]


@dataclass(frozen=True)
class Nextflow:
    """An installed Nextflow."""

    home: Path

    def __call__(
        self, *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, programs: Path | None = None
    ) -> Outcome:
        """Call the launcher in a folder; on PATH are ``programs`` and scinfill of the tests' own environment."""
        environment = self.environment(cwd, programs) | dict(env or {})
        result = run(self.home / "bin" / "nextflow", *arguments, cwd=cwd, env=environment, check=False)
        return Outcome(result.returncode, result.stdout + result.stderr)

    def environment(self, cwd: Path, programs: Path | None = None) -> dict[str, str]:
        """Return the environment in which the launcher finds its jars and downloads nothing."""
        scratch = cwd / "tmp"
        scratch.mkdir(exist_ok=True)
        first = [] if programs is None else [str(programs)]
        path = os.pathsep.join([*first, str(Path(sys.executable).parent), os.environ["PATH"]])
        return os.environ | {
            "PATH": path,
            "TMPDIR": str(scratch),
            "NXF_HOME": str(self.home),
            "NXF_VER": VERSION,
            "NXF_OFFLINE": "true",
            "NXF_PLUGINS_DEFAULT": "false",
            "NXF_ANSI_LOG": "false",
            "NXF_OPTS": OPTIONS,
        }

    def pipeline(self, *arguments: str | Path, **options: Any) -> Outcome:
        """Run the pipeline of this repository."""
        return self("run", REPOSITORY, *arguments, **options)

    def configurations(self, choices: Sequence[str], *, cwd: Path) -> dict[str, dict[str, Any]]:
        """Return the resolved configuration for each choice of profiles; ``none`` is no profile."""
        jar = self.home / "framework" / VERSION / f"nextflow-{VERSION}-one.jar"
        (cwd / "all.groovy").write_text(ONE_BY_ONE)
        program = ("-cp", jar, "groovy.ui.GroovyMain", "all.groovy", cwd, REPOSITORY)
        run("java", *OPTIONS.split(), *program, *choices, cwd=cwd, env=self.environment(cwd))
        return {choice: json.loads((cwd / f"{number}.json").read_text()) for number, choice in enumerate(choices)}


def trace(results: Path) -> list[dict[str, str]]:
    """Return the tasks of the newest run that published into a folder."""
    return tasks(max((results / "pipeline_info").glob("trace_*.txt"), key=lambda path: path.stat().st_mtime_ns))


def tasks(path: Path) -> list[dict[str, str]]:
    """Return the tasks of a trace file."""
    with path.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def installed() -> Nextflow:
    """Return Nextflow, downloaded on first use."""
    home = CACHE / f"nextflow-{VERSION}"
    if not home.exists():
        _need_java_and_maven()
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
            _install(Path(scratch) / "home", final=home)
            (Path(scratch) / "home").rename(home)
    elif shutil.which("java") is None:
        lacking("Java: not installed; Nextflow needs version 17 or later")
    return Nextflow(home)


def _need_java_and_maven() -> None:
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            lacking(f"{program}: not installed; the tests of the pipeline need Java {OLDEST_JAVA} or later, and Maven")
    said = run("java", "-version").stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        lacking(f"Java {OLDEST_JAVA} or later: this one says {said.splitlines()[0]}")


def _install(home: Path, *, final: Path) -> None:
    home.mkdir()
    (home / "pom.xml").write_text(POM)
    try:
        goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={home / 'jars'}")
        run("mvn", "--quiet", "--batch-mode", *goal, cwd=home)
        run(sys.executable, "-m", "pip", "install", "--quiet", "--target", home / "launcher", f"nextflow>={VERSION}")
    except RuntimeError as error:
        lacking(f"Nextflow: {error}")
    (home / "bin").mkdir()
    shutil.copy(home / "launcher" / "bin" / "nextflow", home / "bin" / "nextflow")
    _write_combined_jar(
        home / "framework" / VERSION / f"nextflow-{VERSION}-one.jar",
        [final / "jars" / jar.name for jar in sorted((home / "jars").glob("*.jar"))],
    )


def _write_combined_jar(target: Path, jars: list[Path]) -> None:
    """Write the one file that the launcher looks for: an empty jar whose manifest names the others."""
    entries = [
        "Manifest-Version: 1.0",
        "Main-Class: nextflow.cli.Launcher",
        "Class-Path: " + " ".join(jar.as_uri() for jar in jars),
    ]
    target.parent.mkdir(parents=True)
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "".join(map(_folded, entries)) + "\r\n")


def _folded(entry: str, width: int = 70) -> str:
    """A manifest's lines hold 72 bytes at most; a line that goes on starts with a space."""
    rest = range(width, len(entry), width - 1)
    return "\r\n".join([entry[:width], *(f" {entry[start : start + width - 1]}" for start in rest)]) + "\r\n"
