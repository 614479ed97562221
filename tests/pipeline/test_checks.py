"""What is wrong is said in one line before anything starts; what is right becomes a plan."""

import json
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest

from _pipeline.machine import REPOSITORY
from scinfill.commands import impute_auto, impute_deepmc, preprocess
from scinfill.methods.preprocess import CHOOSING
from scinfill.methods.settings import OF_NEW_CELLS

ODD = "odd [1] $(x);`y`"
SHEETS = {
    "good": "sample,counts,labels\na,a.h5ad,cell_type\n\nb,b.h5ad,\n",
    "reordered": '\ufeffcounts,sample,genes_in_rows\r\n"a.h5ad",a,true\r\n',
    "with-bulk": "sample,counts,bulk,de_truth\na,a.h5ad,bulk.tsv,A_vs_B.tsv;B_vs_C.tsv\n",
    "unknown-column": "sample,counts,cell_types\na,a.h5ad,x\n",
    "missing-column": "sample,labels\na,cell_type\n",
    "repeated-column": "sample,counts,counts\na,a.h5ad,a.h5ad\n",
    "empty": "",
    "header-alone": "sample,counts\n",
    "ragged": "sample,counts\na,a.h5ad\nb\n",
    "no-counts": "sample,counts\na,a.h5ad\nb,\n",
    "bad-name": "sample,counts\na b,a.h5ad\n",
    "bad-boolean": "sample,counts,genes_in_rows\na,a.h5ad,yes\n",
    "missing-file": "sample,counts\na,a.h5ad\n\nb,nowhere.h5ad\n",
    "missing-bulk": "sample,counts,bulk\na,a.h5ad,nowhere.tsv\n",
    "missing-truth": "sample,counts,de_truth\na,a.h5ad,A_vs_B.tsv;nowhere.tsv\n",
    "repeated-sample": "sample,counts\na,a.h5ad\nb,b.h5ad\na,b.h5ad\n",
    "simulated-name": "sample,counts\nsimulated_1,a.h5ad\nsimulated_3,b.h5ad\n",
    "two-problems": "sample,counts\na,nowhere.h5ad\nb,nowhere.h5ad\n",
    "control": 'sample,counts,labels\na,a.h5ad,"a\tb"\n',
    "odd-names": "sample,counts,labels,layer,bulk,de_truth\n"
    'a,odd [1] $(x);`y`/a1.h5ad,it\'s $(x); `y`,"the ""raw"", \\counts","b \'l\' ""k"" & ü.tsv",'
    "T $1_vs_B* [1].x.tsv; a=A_vs_B.tsv\n"
    "b,a[1].h5ad,,,,\n",
    "odd-folder": "sample,counts\na,odd [1] $(x);`y`\n",
    "glob": "sample,counts\na,?.h5ad\n",
    "grouped": "sample,counts,group,labels,bulk,de_truth\n"
    "a,a.h5ad,lab,cell_type,,A_vs_B.tsv\nb,b.h5ad,,,,\n"
    "c,a1.h5ad,lab,,bulk.tsv,A_vs_B.tsv;B_vs_C.tsv\nd,odd [1] $(x);`y`/a1.h5ad,alone,,,\n",
    "layers-of-group": "sample,counts,group,layer,genes_in_rows\na,a.h5ad,lab,raw,\nb,b.h5ad,,,\nc,b.h5ad,lab,,true\n",
    "rows-of-group": "sample,counts,group,genes_in_rows\na,a.h5ad,lab,true\nb,b.h5ad,lab,\n",
    "labels-of-group": "sample,counts,group,labels\na,a.h5ad,lab,cell_type\nb,b.h5ad,lab,\n",
    "bulk-of-group": "sample,counts,group,bulk\na,a.h5ad,lab,bulk.tsv\nb,b.h5ad,lab,\nc,a1.h5ad,lab,A_vs_B.tsv\n",
    "counts-of-group": "sample,counts,group\na,a.h5ad,lab\nb,b.h5ad,lab\nc,a.h5ad,lab\n",
    "group-named-like-a-sample": "sample,counts,group\nlab,a.h5ad,\na,a1.h5ad,lab\nb,b.h5ad,lab\n",
    "bad-group": "sample,counts,group\na,a.h5ad,my lab\n",
    "one-of-a-group": "sample,counts,group,labels\na,a.h5ad,a,cell_type\nb,b.h5ad,a_,\n",
}
KNOWN_METHODS = "deepmc, auto, als, nuclear-norm, svd, magic, scimpute, drimpute, scvi"
KNOWN_COLUMNS = "sample, counts, group, labels, layer, genes_in_rows, bulk, de_truth"

WRONG = {
    "nothing": ({"input": None}, "--input is missing: give a samplesheet, or --simulate N for N simulated samples"),
    "no sheet": ({"input": "nowhere.csv"}, "--input: there is no file {folder}/nowhere.csv"),
    "no such form": (
        {"input": "a.h5ad"},
        "--input must be the path of a samplesheet that ends in .csv or .tsv; received 'a.h5ad'",
    ),
    "unknown-column": ({}, f"unknown-column.csv, line 1: column 'cell_types' is not known; known are {KNOWN_COLUMNS}"),
    "missing-column": ({}, "missing-column.csv, line 1: the column 'counts' is missing"),
    "repeated-column": ({}, "repeated-column.csv, line 1: the column 'counts' is there twice"),
    "empty": ({}, "empty.csv is empty; its first line must name the columns: sample,counts,..."),
    "header-alone": ({}, "header-alone.csv has a header and no samples"),
    "ragged": ({}, "ragged.csv, line 3: 1 fields, but the header has 2"),
    "no-counts": ({}, "no-counts.csv, line 3: 'counts' is empty"),
    "bad-name": ({}, "bad-name.csv, line 2: 'sample' must be a name of letters, digits, _ and -; received 'a b'"),
    "bad-boolean": ({}, "bad-boolean.csv, line 2: 'genes_in_rows' must be one of true, false; received 'yes'"),
    "missing-file": ({}, "missing-file.csv, line 4: 'counts': there is no file nowhere.h5ad"),
    "missing-bulk": ({}, "missing-bulk.csv, line 2: 'bulk': there is no file nowhere.tsv"),
    "missing-truth": ({}, "missing-truth.csv, line 2: 'de_truth': there is no file nowhere.tsv"),
    "repeated-sample": ({}, "repeated-sample.csv, line 4: sample 'a' is already on line 2"),
    "simulated-name": (
        {"simulate": 2},
        "simulated-name.csv, line 2: sample 'simulated_1' has the name of a simulated sample; give it another, or "
        "leave out --simulate",
    ),
    "two-problems": ({}, "two-problems.csv, line 2: 'counts': there is no file nowhere.h5ad"),
    "control": (
        {},
        "control.csv, line 2: 'labels' must be the name of an obs column, without control characters; received 'a\tb'",
    ),
    "glob": ({}, "glob.csv, line 2: 'counts': there is no file ?.h5ad"),
    "layers-of-group": (
        {},
        "layers-of-group.csv, line 4: samples of group 'lab' must have the same 'layer'; received none here and 'raw' "
        "on line 2: make them alike, or change the group",
    ),
    "rows-of-group": (
        {},
        "rows-of-group.csv, line 3: samples of group 'lab' must have the same 'genes_in_rows'; received 'false' here "
        "and 'true' on line 2: make them alike, or change the group",
    ),
    "labels-of-group": (
        {},
        "labels-of-group.csv, line 3: samples of group 'lab' must have the same 'labels'; received none here and "
        "'cell_type' on line 2: make them alike, or change the group",
    ),
    "other labels of a group": (
        {"input": "labels-of-group.csv", "labels": "cluster"},
        "labels-of-group.csv, line 3: samples of group 'lab' must have the same 'labels'; received 'cluster' here and "
        "'cell_type' on line 2: make them alike, or change the group",
    ),
    "bulk-of-group": (
        {},
        "bulk-of-group.csv, line 4: samples of group 'lab' must have the same 'bulk'; received another on line 2: keep "
        "one of them, or change the group",
    ),
    "counts-of-group": (
        {},
        "counts-of-group.csv, line 4: sample 'c' of group 'lab' has the counts of 'a' on line 2; leave one of them out",
    ),
    "group-named-like-a-sample": (
        {},
        "group-named-like-a-sample.csv, line 3: group 'lab' has the name of the sample on line 2, and results are "
        "named after both; give one of them another name",
    ),
    "bad-group": (
        {},
        "bad-group.csv, line 2: 'group' must be a name of letters, digits, _ and -; received 'my lab'",
    ),
    "no such number of genes": (
        {"n_genes": "some"},
        "--n_genes must be a whole number above 0, or all; received 'some'",
    ),
    "no genes": ({"n_genes": 0}, "--n_genes must be a whole number above 0, or all; received '0'"),
    "no list of genes": ({"keep_genes": "nowhere.txt"}, "--keep_genes: there is no file nowhere.txt"),
    "unclosed quote": (
        {"deepmc_args": "--x 'y"},
        "--deepmc_args must have an end to every quote and backslash; received '--x 'y'",
    ),
    "work directory": (
        {},
        "the path of the work directory cannot have any of $ ; * ? [ ] {{ }}; give another by -work-dir; "
        "received '{folder}/work [1]'",
    ),
    "unknown method": (
        {"methods": "deepmc,foo"},
        f"--methods: 'foo' is not known; give one or more of {KNOWN_METHODS}",
    ),
    "empty methods": ({"methods": ""}, f"--methods is empty; give one or more of {KNOWN_METHODS}"),
    "methods without a value": (
        {"methods": True},
        "--methods needs a value; one that begins with a dash is given with '=', in quotes",
    ),
    "options taken for a name": (
        {"n-genes 2000": True, "preprocess_args": True},
        "--preprocess_args needs a value; one that begins with a dash is given with '=', in quotes",
    ),
    "unknown parameter": ({"metods": "auto"}, "--metods is no parameter of this pipeline; the nearest is --methods"),
    "parameter in another case": (
        {"cpu-image": "x"},
        "--cpu-image is no parameter of this pipeline; the nearest is --cpu_image",
    ),
    "parameter of a site": (
        {"project": "snic"},
        "--project is no parameter of this pipeline; --help lists them, and what your site's configuration needs goes "
        "into a file for -c: params.project = ...",
    ),
    "a list for one value": ({"seed": [1, 2]}, "--seed must be one value; received [1, 2]"),
    "a wrong word in a list": (
        {"methods": ["deepmc", "foo"]},
        f"--methods: 'foo' is not known; give one or more of {KNOWN_METHODS}",
    ),
    "no such model": ({"model": "nowhere.h5ad"}, "--model: there is no file nowhere.h5ad"),
    "genes beside a model": (
        {"model": "a.h5ad", "n_genes": "all"},
        "--n_genes chooses genes, and --model takes those of its training; leave one of them out",
    ),
    "kept genes beside a model": (
        {"model": "a.h5ad", "keep_genes": "FOXP3"},
        "--keep_genes chooses genes, and --model takes those of its training; leave one of them out",
    ),
    "a model kept beside a model": (
        {"model": "a.h5ad", "save_model": True},
        "--save_model keeps what was trained, and beside --model nothing is; leave one of them out",
    ),
    "hidden non-zeros beside a model": (
        {"model": "a.h5ad", "hidden_fractions": "0.1"},
        "--hidden_fractions asks what would have been seen in the place of a hidden value, and a model says what is "
        "expressed; leave one of them out",
    ),
    "null genes beside a model": (
        {"model": "a.h5ad", "null_genes": 20},
        "--null_genes adds genes that --model does not know; leave one of them out",
    ),
    "methods beside a model": (
        {"model": "a.h5ad", "methods": "deepmc,als"},
        "--methods: beside --model there is one, deepmc or auto, the one that trained it; leave --methods out; "
        "received 'deepmc,als'",
    ),
    "a training's option beside a model": (
        {"model": "a.h5ad", "deepmc_args": "--keep observed --rank=5"},
        "--deepmc_args: --rank is of a training, and beside --model nothing is trained; leave one of them out",
    ),
    "a checkpoint beside a model": (
        {"model": "a.h5ad", "auto_args": "-v --checkpoint /scratch"},
        "--auto_args: --checkpoint is of a training, and beside --model nothing is trained; leave one of them out",
    ),
    "a preset that chooses genes beside a model": (
        {"model": "a.h5ad", "preprocess_args": "--round --preset paper"},
        "--preprocess_args: --preset chooses genes, and --model takes those of its training; leave one of them out",
    ),
    "a group beside a model": (
        {"model": "a.h5ad", "input": "grouped.csv", "labels": "cell_type"},
        "grouped.csv, line 2: group 'lab': --model imputes every cell by itself, so that samples are not joined; leave "
        "out the column 'group', or --model",
    ),
    "joining beside a model": (
        {"model": "a.h5ad", "join_args": "--counts umi"},
        "--join_args is about samples that are joined, and beside --model none are; leave one of them out",
    ),
    "a model of hidden values to keep": (
        {"save_model": True, "auto_args": "--hidden 8 --estimate=detected"},
        "--auto_args: --estimate detected gives values of its own cells alone, of which --save_model can keep no "
        "model; leave one of them out",
    ),
    "a published model to keep": (
        {"save_model": True, "methods": "deepmc,als", "deepmc_args": "--preset paper"},
        "--deepmc_args: --preset paper gives values of its own cells alone, of which --save_model can keep no model; "
        "leave one of them out",
    ),
    "no model to keep": (
        {"save_model": True, "methods": "als,svd"},
        "--save_model keeps models of deepmc and auto; add one of them to --methods, or leave it out; received "
        "'als,svd'",
    ),
    "no folder": ({"outdir": ""}, "--outdir is empty; give a folder"),
    "text for a number": ({"seed": "x"}, "--seed must be a whole number; received 'x'"),
    "a number that is not whole": ({"replicates": "1.5"}, "--replicates must be a whole number; received '1.5'"),
    "too small": ({"replicates": -1}, "--replicates must be at least 0; received '-1'"),
    "too large": ({"thinned_fraction": "1"}, "--thinned_fraction must be below 1; received '1'"),
    "fraction": ({"hidden_fractions": "0.1,2"}, "--hidden_fractions: each must lie between 0 and 1; received '2'"),
    "choice": (
        {"publish_dir_mode": "teleport"},
        "--publish_dir_mode must be one of copy, link, symlink, rellink, move, copyNoFollow; received 'teleport'",
    ),
    "no queue": ({}, "--aws_queue is missing; -profile awsbatch needs it"),
    "no GPU queue": ({"aws_queue": "q"}, "--aws_gpu_queue is missing; -profile awsbatch needs it"),
    "work directory here": (
        {"aws_queue": "q"},
        "-profile awsbatch needs a work directory in a bucket: -work-dir s3://bucket/folder; received /scratch/work",
    ),
    "no bucket": (
        {"aws_workdir": "/tmp"},
        "--aws_workdir must be a folder in a bucket: s3://bucket/folder; received '/tmp'",
    ),
}
COLUMNS_OF_FILES = (
    ({"obs": ["cell_type"], "var": []}, {"obs": [], "var": ["gene_ids"]}),
    ({"obs": ["cell_type"], "var": []}, {"obs": ["sample"], "var": []}),
    ({"obs": ["sample"], "var": []}, {"obs": [], "var": ["samplesheet_sample"]}),
    ({}, {}),
)
"""What `scinfill inspect` says of the two samples of a group; a stub says nothing."""


def about(command, *, estimate="shrunk", batch=None, effect="keep", problem=None):
    """Return what `scinfill inspect` says of a saved model."""
    return {
        "model": {
            "command": command,
            "estimate": estimate,
            "batch": batch,
            "batches": [],
            "batch_effect": effect,
            "problem": problem,
        }
    }


MODELS = {
    "no model": ({"model": None}, [], "--model: m.h5ad is no saved model; a run with --save_model keeps one for each"),
    "of the other method": (
        about("impute-auto"),
        ["deepmc"],
        "--model: m.h5ad was trained by auto; give --methods auto, or leave --methods out; received 'deepmc'",
    ),
    "of this method": (about("impute-auto"), ["auto"], "auto"),
    "of some method": (about("impute-deepmc"), [], "deepmc"),
    "unknown to a stub": ({}, ["auto"], "auto"),
    "damaged": (
        about("impute-deepmc", problem="the model is not what was saved: ...; train and save it again"),
        [],
        "--model: m.h5ad cannot be used: the model is not what was saved: ...; train and save it again",
    ),
}
"""What `scinfill inspect` says of a file, the methods that were named, and the method or what is wrong."""
TOLD = {
    "--uncertainty": (
        about("impute-deepmc", estimate="model"),
        "--uncertainty is of the estimate shrunk, and m.h5ad was trained for model",
    ),
    "-q --batch=donor --keep max": (
        about("impute-auto"),
        "--batch needs a model with batches, and m.h5ad was trained without",
    ),
    "--batch-effect remove": (
        about("impute-deepmc"),
        "--batch-effect remove needs a model with batches, and m.h5ad was trained without",
    ),
    "--batch-effect=remove --keep observed": (
        about("impute-deepmc", batch="sample"),
        "--keep is of values as they were seen, and m.h5ad gives those of the average batch",
    ),
    "--openproblems": (
        about("impute-auto", batch="sample", effect="remove"),
        "--openproblems is of values as they were seen, and m.h5ad gives those of the average batch",
    ),
    "--uncertainty --batch donor --batch-effect remove --keep none": (about("impute-deepmc", batch="sample"), ""),
    "--batch-effect keep --keep=max --openproblems": (about("impute-deepmc"), ""),
}
"""What an imputer is told beside a model, and why it would refuse that."""
MEMORY = Path("/dev/shm")
"""A file system of its own, which can have no hard links to files elsewhere."""
CONFIGURED = {
    "config_profile_description": "Our site",
    "max_memory": "128 GB",
    "igenomes_base": "s3://genomes",
    "metods": "auto",
}
RIGHT = {
    "good": {"labels": "cluster"},
    "reordered": {},
    "with-bulk": {},
    "odd-names": {"evaluate_args": "--x 'a b' \"c \\\" d\" e\\ f ''"},
    "odd-folder": {},
    "another file system": {"input": "odd-folder.csv"},
    "simulated": {
        "input": None,
        "simulate": "2",
        "replicates": "2",
        "hidden_fractions": "0.1,0.5",
        "methods": "auto, deepmc,auto",
    },
    "text for everything": {
        "seed": "7",
        "thinned_fraction": "0",
        "hidden_fractions": "none",
        "replicates": "1",
        "skip_halves": "true",
    },
    "without images": {"methods": "deepmc,magic,scimpute,drimpute,scvi"},
    "with images": {
        "methods": "deepmc,magic,scimpute,drimpute,scvi",
        "magic_image": "m",
        "scimpute_image": "s",
        "drimpute_image": "d",
        "scvi_image": "v",
    },
    "without an engine": {"methods": "magic,scimpute,scvi", "scimpute_image": "s"},
    "lists": {"methods": ["deepmc", "auto"], "hidden_fractions": [0.1, 0.3]},
    "configured": {},
    "bucket": {"aws_queue": "q"},
    "bucket beside a folder": {"aws_queue": "q"},
    "grouped": {"labels": "cell_type", "methods": "deepmc,als", "replicates": 1, "hidden_fractions": "none"},
    "one-of-a-group": {},
    "same labels of a group": {"input": "labels-of-group.csv", "labels": "cell_type"},
    "genes by name": {"n_genes": 2000, "keep_genes": ["FOXP3", "H2-K1"]},
    "genes in a file": {"n_genes": "all", "keep_genes": f"{ODD}/names"},
    "a model": {"model": f"{ODD}/a1.h5ad", "null_genes": 0, "hidden_fractions": "none"},
    "a model and its method": {"model": "a.h5ad", "methods": "auto", "auto_args": "--keep max --batch donor -q"},
    "models kept": {"save_model": "true", "methods": "deepmc,als"},
    "tried on own samples": {},
    "tried beside own samples": {"simulate": 2},
}
BATCH = {"profiles": ["awsbatch"], "workFolders": ["s3://lab/work"], "awsProgram": "/opt/aws/bin/aws"}
AROUND = {
    "work directory": {"workFolder": "work [1]"},
    "no queue": BATCH,
    "no GPU queue": BATCH | {"profiles": ["docker", "awsbatch", "gpu"]},
    "work directory here": BATCH | {"workFolders": ["/scratch/work"]},
    "bucket": BATCH | {"awsProgram": False},
    "bucket beside a folder": BATCH | {"workFolders": ["/scratch/work", "s3://lab/work"]},
    "without images": {"engine": "docker"},
    "with images": {"engine": "docker"},
    "tried on own samples": {"profiles": ["test"]},
    "tried beside own samples": {"profiles": ["docker", "test_full"]},
}
FROM_CONFIGURATION = {"configured": CONFIGURED, "tried on own samples": {"simulate": 2}}

COMMANDS = {
    "nextflow run . -profile test --methods auto --seed=3 -resume": {"methods", "seed"},
    r"nextflow run . '--preprocess_args=--n-genes 2000 --layer raw' --labels it\'s\ --seed": {
        "preprocess_args",
        "labels",
    },
    "nextflow run . --cpu-image 'a b' --site.queue x -params-file params.yml": {
        "cpu-image",
        "site",
        "methods",
        "extra",
    },
    "nextflow run . -params-file params.json": {"input"},
}
ENDS = {
    "said": (("read this", "the reason", ""), "3", False, "the reason"),
    "silent on Batch": ((), "127", True, "the image lacks the program aws"),
    "silent here": ((), "127", False, "a program is missing in its image or on its machine"),
    "not found on Batch": (
        ("bash: scinfill: command not found",),
        "127",
        True,
        "there is no program scinfill in its image or on its machine; build or install it (containers/README.md)",
    ),
    "not found here": (
        (".command.sh: line 2: scinfill-scvi: command not found",),
        "127",
        False,
        "no program scinfill-scvi in",
    ),
    "killed": ((), "137", False, "killed (exit code 137)"),
    "lost": ((), "-", False, "its machine or its job was lost"),
    "silent": ((), "1", False, "it left no message (exit code 1)"),
}
FILES = ("a.h5ad", "b.h5ad", "bulk.tsv", "A_vs_B.tsv", "B_vs_C.tsv", f"{ODD}/a1.h5ad", f"{ODD}/sub/b.h5ad", "a1.h5ad")
FILES += (f"{ODD}/names", "a[1].h5ad", """b 'l' "k" & ü.tsv""", "T $1_vs_B* [1].x.tsv", "a=A_vs_B.tsv")
FOLDERS = {
    "{folder}/new": "",
    "/proc/scinfill": "/proc/scinfill cannot be made",
    "{folder}/taken": "Not a directory",
    "{folder}/half": "{folder}/half/pipeline_info is a file",
}
"""Values of --outdir, and why nothing can be written there."""
NAMES = ("plain", "", "it's", "a 'b' \"c\" $(d) `e`; & * ? [f] \\ ü", "-x", "two\nlines")
ARGUMENTS = {
    "": [],
    '  --n-genes 20\t--layer=\'raw counts\' --x "a \\" b" ': ["--n-genes", "20", "--layer=raw counts", "--x", 'a " b'],
    "$(d) `e`; & * ? [f] # ~ $HOME": ["$(d)", "`e`;", "&", "*", "?", "[f]", "#", "~", "$HOME"],
    "'it'\\''s' a\\ b \"c\"d'e' '' \"\" \"'\" '\"'": ["it's", "a b", "cde", "", "", "'", '"'],
    '"a\\b\\$c" ü': ["a\\b$c", "ü"],
}


@pytest.fixture(scope="module")
def elsewhere():
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.exists() else None) as folder:
        yield folder


@pytest.fixture(scope="module")
def said(nextflow, defaults, elsewhere, tmp_path_factory):
    """Whatever the checks say of every case, by its name, from one start of Nextflow."""
    folder = tmp_path_factory.mktemp("checks")
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    for name, text in SHEETS.items():
        (folder / f"{name}.csv").write_bytes(text.encode())
    (folder / "params.yml").write_text("methods: [auto]\nextra: 1\n")
    (folder / "params.json").write_text('{"input": "good.csv"}')
    ends = []
    for name, (lines, code, batch, _) in ENDS.items():
        (folder / name).mkdir()
        if lines:
            (folder / name / ".command.err").write_text("\n".join(lines) + "\n")
        ends.append({"folder": name, "exit": code, "batch": batch})
    names = [*WRONG, *RIGHT]
    around = {
        "profiles": ["standard"],
        "launchFolder": str(folder),
        "workFolder": "work",
        "workFolders": ["/scratch/work"],
    }
    cases = [
        {
            "params": defaults
            | {"input": f"{name if name in SHEETS else 'good'}.csv"}
            | FROM_CONFIGURATION.get(name, {})
            | given,
            "around": around
            | {"given": list(given)}
            | (AROUND | {"another file system": {"workFolder": elsewhere}}).get(name, {}),
        }
        for name, given in zip(names, [*(given for given, _ in WRONG.values()), *RIGHT.values()], strict=True)
    ]
    asked = {"cases": cases, "commands": list(COMMANDS), "ends": ends, "names": NAMES, "arguments": list(ARGUMENTS)}
    asked["columns"] = COLUMNS_OF_FILES
    (folder / "half").mkdir()
    for name in ("taken", "half/pipeline_info"):
        (folder / name).touch()
    asked["folders"] = [path.format(folder=folder) for path in FOLDERS]
    nothing = {"deepmc": [], "auto": []}
    asked["models"] = [
        {"summary": summary, "methods": methods, "told": nothing} for summary, methods, _ in MODELS.values()
    ]
    for words, (summary, _) in TOLD.items():
        told = {summary["model"]["command"].removeprefix("impute-"): words.split()}
        asked["models"].append({"summary": summary, "methods": [], "told": nothing | told})
        asked["models"].append({"summary": summary, "methods": [], "told": dict.fromkeys(nothing, words.split())})
    (folder / "asked.json").write_text(json.dumps(asked))
    script = REPOSITORY / "tests" / "pipeline" / "problems.nf"
    outcome = nextflow("run", script, "--asked", "asked.json", "--said", "said.json", cwd=folder)
    assert outcome.exit_code == 0, outcome.output
    answers = json.loads((folder / "said.json").read_text())
    return folder, dict(zip(names, answers["cases"], strict=True)), answers


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(said, name):
    folder, answers, _ = said
    assert answers[name]["problems"][0] == WRONG[name][1].format(folder=folder)


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_not_complained_of(said, name):
    assert said[1][name]["problems"] == []


def samples_of(said, name):
    return {meta["id"]: (meta, counts) for meta, counts in said[1][name]["job"]["samples"]}


def test_rows_become_samples(said):
    samples = samples_of(said, "good")
    assert {name: meta["labels"] for name, (meta, _) in samples.items()} == {"a": "cell_type", "b": "cluster"}
    assert {name: meta["where"] for name, (meta, _) in samples.items()} == {
        "a": "good.csv, line 2",
        "b": "good.csv, line 4",
    }
    assert samples["a"][1] == str(said[0] / "a.h5ad")


def test_columns_come_in_any_order_and_any_line_ending(said):
    meta, counts = samples_of(said, "reordered")["a"]
    assert meta["genes_in_rows"] is True
    assert counts.endswith("/a.h5ad")


def test_references_are_files(said):
    meta, _ = samples_of(said, "with-bulk")["a"]
    assert meta["bulk"] == [str(said[0] / "bulk.tsv")]
    assert meta["de_truths"] == [str(said[0] / "A_vs_B.tsv"), str(said[0] / "B_vs_C.tsv")]


def test_names_are_taken_as_they_are(said):
    meta, _ = samples_of(said, "odd-names")["a"]
    assert meta["labels"] == "it's $(x); `y`"
    assert meta["layer"] == 'the "raw", \\counts'
    assert meta["contrasts"] == ["T $1_vs_B* [1]=", ""]


def test_paths_are_files_not_patterns_and_reach_the_shell_under_names_that_it_leaves_alone(said):
    folder = said[0]
    meta, counts = samples_of(said, "odd-names")["a"]
    # What Nextflow escapes stays where it is.
    assert meta["bulk"] == [str(folder / """b 'l' "k" & ü.tsv""")]
    assert meta["de_truths"][1] == str(folder / "a=A_vs_B.tsv")
    linked = {
        counts: f"{ODD}/a1.h5ad",
        meta["de_truths"][0]: "T $1_vs_B* [1].x.tsv",
        samples_of(said, "odd-names")["b"][1]: "a[1].h5ad",
    }
    for path, name in linked.items():
        assert path.startswith(f"{folder}/work/inputs/")
        assert shlex.quote(path) == path
        assert (folder / path).read_text() == name
        assert (folder / path).samefile(folder / name)


def test_a_folder_is_linked_with_all_that_is_in_it(said):
    folder = said[0]
    _, counts = samples_of(said, "odd-folder")["a"]
    assert shlex.quote(counts) == counts
    for name in ("a1.h5ad", "sub/b.h5ad"):
        assert (folder / counts / name).samefile(folder / ODD / name)
    assert len(list((folder / counts).rglob("*"))) == 4


def test_what_cannot_be_linked_is_copied(said, elsewhere):
    _, counts = samples_of(said, "another file system")["a"]
    assert counts.startswith(elsewhere)
    assert [(Path(counts) / name).read_text() for name in ("a1.h5ad", "sub/b.h5ad")] == [
        f"{ODD}/a1.h5ad",
        f"{ODD}/sub/b.h5ad",
    ]


def words_of(text):
    """The words that a shell makes of a text."""
    printed = subprocess.run(["bash", "-c", f"printf '%s\\0' {text}"], capture_output=True, text=True, check=True)
    return printed.stdout.split("\0")[:-1]


def test_a_quoted_name_is_one_word_of_the_shell(said):
    assert [words_of(text) for text in said[2]["names"]] == [[name] for name in NAMES]


def test_more_arguments_are_parted_as_in_a_shell_and_nothing_in_them_is_run(said):
    assert [words_of(text) if text else [] for text in said[2]["arguments"]] == list(ARGUMENTS.values())


def test_everything_is_planned_once(said):
    job = said[1]["simulated"]["job"]
    assert job["methods"] == ["auto", "deepmc"]
    masks = [mask["name"] for mask in job["masks"]]
    kinds = ("halves-0.5", "nonzero-0.1", "nonzero-0.5", "thin-0.1")
    assert sorted(masks) == [f"{kind}-{n}" for kind in kinds for n in (1, 2)]
    planned = {tuple(score[:3]) for score in job["planned"]}
    assert len(planned) == 2 * (1 + 8) * 2
    assert ("simulated_2.thin-0.1-1.auto", "simulated_2", "auto") in planned
    assert ("simulated_1.deepmc", "simulated_1", "deepmc") in planned


def test_a_folder_that_cannot_be_written_is_named_with_the_reason(said):
    for path, reason, told in zip(FOLDERS, FOLDERS.values(), said[2]["folders"], strict=True):
        named = f"--outdir {path} cannot be written ({reason}); give a folder that you may write to" if reason else ""
        assert told == named.format(folder=said[0])


def test_samples_of_a_group_become_one_dataset(said):
    samples = samples_of(said, "grouped")
    group = samples["a"][0]["group"]
    assert group == samples["c"][0]["group"]
    assert {name for name, (meta, _) in samples.items() if "group" in meta} == {"a", "c"}
    folder = said[0]
    assert group == {
        "id": "lab",
        "sample": "lab",
        "labels": "cell_type",
        "layer": None,
        "genes_in_rows": False,
        "bulk": [str(folder / "bulk.tsv")],
        "de_truths": [str(folder / "A_vs_B.tsv"), str(folder / "B_vs_C.tsv")],
        "contrasts": ["A_vs_B=", "B_vs_C="],
        "where": "grouped.csv, line 2; grouped.csv, line 4",
        "samples": ["a", "c"],
    }


def test_scores_are_of_groups_and_each_sample_of_one_comes_out(said):
    planned = {key: (dataset, method, tags) for key, dataset, method, tags in said[1]["grouped"]["job"]["planned"]}
    masks = ("", ".thin-0.1-1", ".halves-0.5-1")
    scores = {f"{name}{mask}.{method}" for name in "bd" for mask in masks for method in ("deepmc", "als")}
    of_group = {f"lab{mask}.{method}" for mask in masks for method in ("deepmc", "als")}
    assert planned.keys() == scores | of_group | {"lab.deepmc.samples", "lab.als.samples"}
    assert planned["lab.als.samples"] == ("lab", "als", ["lab", "a", "c"])
    assert planned["b.als"] == ("b", "als", ["b"])


def test_a_group_of_one_sample_is_none_and_said(said):
    samples = samples_of(said, "one-of-a-group")
    assert not any("group" in meta for meta, _ in samples.values())
    assert said[1]["one-of-a-group"]["warnings"] == [
        "one-of-a-group.csv, line 2: no other sample is in group 'a', so 'a' is imputed by itself",
        "one-of-a-group.csv, line 3: no other sample is in group 'a_', so 'b' is imputed by itself",
    ]
    assert len(said[1]["grouped"]["warnings"]) == 1


def test_samples_are_named_in_a_column_that_no_file_has(said):
    columns = [asked["column"] for asked in said[2]["joins"]]
    assert columns == ["sample", "samplesheet_sample", "samplesheet_sample_2", "sample"]


def test_samples_are_joined_in_the_order_of_the_sheet(said):
    assert said[2]["joins"][0]["names"] == ["a", "c"]
    assert said[2]["joins"][0]["counts"] == ["a.h5ad", "c.h5ad"]


def test_genes_to_keep_are_names_or_a_file(said):
    folder = said[0]
    assert said[1]["genes by name"]["job"]["kept"] == {"names": "FOXP3,H2-K1", "list": []}
    kept = said[1]["genes in a file"]["job"]["kept"]
    assert kept["names"] == ""
    assert shlex.quote(kept["list"]) == kept["list"]
    assert (folder / kept["list"]).samefile(folder / ODD / "names")


def test_a_model_is_a_file_that_says_its_method(said):
    folder, answers, _ = said
    job = answers["a model"]["job"]
    assert job["model"]["name"] == f"{ODD}/a1.h5ad"
    assert shlex.quote(job["model"]["file"]) == job["model"]["file"]
    assert (folder / job["model"]["file"]).samefile(folder / ODD / "a1.h5ad")
    assert job["methods"] == []
    assert answers["a model and its method"]["job"]["methods"] == ["auto"]
    assert answers["good"]["job"]["model"] is None


def test_beside_a_model_only_molecules_are_held_out(said):
    """Whatever the defaults ask for: no model answers what a hidden non-zero would have been, or knows null genes."""
    masks = said[1]["a model and its method"]["job"]["masks"]
    assert {(mask["mode"], mask["null_genes"]) for mask in masks} == {("thin", 0), ("halves", 0)}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_applied_by_the_method_that_trained_it(said, name):
    problem, method = dict(zip(MODELS, said[2]["models"], strict=False))[name]
    assert (problem or method).startswith(MODELS[name][-1])


@pytest.mark.parametrize("words", TOLD)
def test_what_a_model_cannot_give_is_refused_before_work(said, words):
    """As the commands would, but once; and what is told to the other imputer is not taken in silence."""
    summary, problem = TOLD[words]
    number = len(MODELS) + 2 * list(TOLD).index(words)
    (found, method), (of_both, _) = said[2]["models"][number : number + 2]
    assert found == (f"--{method}_args: {problem}; leave one of them out" if problem else "")
    other = "auto" if method == "deepmc" else "deepmc"
    assert of_both.startswith(f"--{other}_args: m.h5ad was trained by {method}, and nothing is told to {other}")
    assert summary["model"]["command"] == f"impute-{method}"


def test_options_beside_a_model_are_those_of_the_commands(said):
    """What the pipeline lets through, the commands take beside ``--model``, and the other way round."""
    parameters = [*impute_deepmc.command.params, *impute_auto.command.params]
    of_pipeline = {"source", "target", "model"}
    free = OF_NEW_CELLS | {"threads", "max_memory", "verbosity", "debug", "log_json"}
    cells = {word for one in parameters if one.name in free - of_pipeline for word in one.opts}
    assert set(said[2]["options"]["cells"]) == cells
    genes = {word for one in preprocess.command.params if one.name in {*CHOOSING, "like"} for word in one.opts}
    assert set(said[2]["options"]["genes"]) == genes


def test_replicates_differ_by_seed_and_null_genes_stand_beside_molecules(said):
    by_name = {mask["name"]: mask for mask in said[1]["simulated"]["job"]["masks"]}
    assert [by_name[f"thin-0.1-{n}"]["seed"] for n in (1, 2)] == [1, 2]
    assert by_name["thin-0.1-1"]["null_genes"] == 200
    assert by_name["nonzero-0.1-1"]["null_genes"] == 0


def test_a_benchmark_can_be_left_out(said):
    assert said[1]["text for everything"]["job"]["masks"] == []


def test_methods_without_an_image_are_skipped_by_name(said):
    job = said[1]["without images"]["job"]
    assert job["methods"] == ["deepmc"]
    assert job["skipped"] == {
        name: f"its image is absent; build it (containers/README.md) and name it by --{name}_image"
        for name in ("magic", "scimpute", "drimpute", "scvi")
    }
    assert said[1]["with images"]["job"]["skipped"] == {}


def test_without_an_engine_what_is_in_python_runs_and_r_is_not_there(said):
    job = said[1]["without an engine"]["job"]
    assert job["methods"] == ["magic", "scvi"]
    assert job["skipped"]["scimpute"].endswith("it needs a container engine (-profile docker and the like)")


def test_what_a_configuration_sets_for_other_pipelines_is_one_warning(said):
    assert said[1]["configured"]["warnings"] == [
        "a configuration sets parameters that this pipeline does not have: max_memory, igenomes_base, "
        "metods (the nearest is methods)"
    ]
    assert said[1]["good"]["warnings"] == []


def test_a_list_is_what_words_with_commas_are(said):
    job = said[1]["lists"]["job"]
    assert job["methods"] == ["deepmc", "auto"]
    assert {mask["fraction"] for mask in job["masks"] if mask["mode"] == "nonzero"} == {"0.1", "0.3"}


def test_images_without_the_aws_program_are_warned_of(said):
    (warning,) = said[1]["bucket"]["warnings"]
    assert "every image must hold the program aws" in warning
    assert "--aws_cli_path" in warning
    assert said[1]["bucket beside a folder"]["warnings"] == []


def test_the_test_profile_simulates_for_those_without_samples(said):
    assert said[1]["tried on own samples"]["job"]["simulated"] == []
    assert len(said[1]["tried beside own samples"]["job"]["simulated"]) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_what_was_given_for_this_run_is_known_by_name(said, command):
    names = dict(zip(COMMANDS, said[2]["given"], strict=True))
    assert set(names[command]) == COMMANDS[command]


@pytest.mark.parametrize("name", ENDS)
def test_a_failure_has_a_reason_even_where_the_task_said_none(said, name):
    reasons = dict(zip(ENDS, said[2]["reasons"], strict=True))
    assert ENDS[name][-1] in reasons[name]
