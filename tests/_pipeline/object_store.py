"""A stand-in for an object store, store://BUCKET/KEY: its files lie in a folder, its deletes are written down."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from _pipeline.machine import need_programs, run
from _pipeline.nextflow import OPTIONS

SOURCE = Path(__file__).parent / "store" / "Store.java"


@dataclass(frozen=True)
class ObjectStore:
    """Buckets as folders.

    Attributes
    ----------
    folder
        Holds a folder for each bucket.
    deleted
        Addresses that were asked to be deleted, one a line; not there before the first.
    environment
        What Nextflow needs to find the store.
    """

    folder: Path
    deleted: Path
    environment: dict[str, str]


def made(folder: Path) -> ObjectStore:
    """Compile the store into a folder; its buckets and its record of deletes lie there too."""
    need_programs("javac", packages=("default-jdk-headless",))
    classes, jar = folder / "classes", folder / "store.jar"
    run("javac", "-d", classes, SOURCE)
    with zipfile.ZipFile(jar, "w") as archive:
        for path in classes.iterdir():
            archive.write(path, path.name)
        archive.writestr("META-INF/services/java.nio.file.spi.FileSystemProvider", "Store\n")
    buckets, deleted = folder / "buckets", folder / "deleted.txt"
    buckets.mkdir()
    options = f"{OPTIONS} -Xbootclasspath/a:{jar} -Dstore.folder={buckets} -Dstore.deleted={deleted}"
    return ObjectStore(buckets, deleted, {"NXF_OPTS": options})
