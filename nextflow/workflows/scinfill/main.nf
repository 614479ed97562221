// Samples to one report: impute and evaluate each with each method, and again with values hidden whose truth is known.

include { SIMULATE   } from '../../modules/local/scinfill/simulate'
include { INSPECT    } from '../../modules/local/scinfill/inspect'
include { PREPROCESS } from '../../modules/local/scinfill/preprocess'
include { EVALUATE   } from '../../modules/local/scinfill/evaluate'
include { REPORT     } from '../../modules/local/scinfill/report'
include { IMPUTE     } from '../../subworkflows/local/impute'
include { BENCHMARK  } from '../../subworkflows/local/benchmark'
include { labelProblem } from '../../functions/samplesheet'
include { absences   } from '../../functions/plan'
include { failuresBehind        } from '../../functions/failures'
include { costLine ; costHeader } from '../../functions/costs'

workflow SCINFILL {
    take:
    samples   // channel: [ meta, counts ]; meta: id, sample, labels, layer, genes_in_rows, bulk, de_truths, where
    simulated // channel: [ meta, cells, genes, seed ]
    masks     // list of maps: name, mode, fraction, null_genes, seed
    methods   // list of names
    planned   // list of [ key, sample, method ]: every score that is to come
    seed      // integer
    around    // map: what surrounds the run; its trace tells why a task failed

    main:
    // The one thing that only the files can tell: is the label column there? All are asked before any work starts, and what
    // cannot be read goes no further.
    asked = samples.branch { meta, _counts ->
        labelled: meta.labels
        other: true
    }
    INSPECT(asked.labelled)
    checked = INSPECT.out.summary
        .map { meta, summary -> labelProblem(meta, summary) }
        .filter { problem -> problem }
        .toSortedList()
        .map { problems ->
            if (problems) {
                error(problems[0])
            }
            true
        }

    SIMULATE(simulated)
    readable = asked.labelled
        .join(INSPECT.out.summary)
        .map { meta, counts, _summary -> [meta, counts] }
        .mix(asked.other)
    PREPROCESS(readable.combine(checked).map { meta, counts, _checked -> [meta, counts] }.mix(SIMULATE.out.counts))

    IMPUTE(PREPROCESS.out.h5ad, methods, 'auto', seed)
    BENCHMARK(PREPROCESS.out.h5ad, masks, methods, seed)

    // All methods of a dataset are compared in one call; those that failed are not waited for.
    compared = IMPUTE.out.imputed
        .mix(BENCHMARK.out.imputed)
        .map { meta, h5ad -> [meta.subMap(meta.keySet() - 'method'), [meta.method, h5ad]] }
        .groupTuple(size: methods.size(), remainder: true)
        .map { meta, pairs ->
            def ordered = pairs.sort { pair -> methods.indexOf(pair[0]) }
            [meta, ordered.collect { pair -> pair[0] }, ordered.collect { pair -> pair[1] }, meta.bulk, meta.de_truths]
        }
    EVALUATE(compared, seed)

    // A branch that failed leaves a gap, which the report names.
    finished = EVALUATE.out.scores.flatMap { meta, names, _file -> names.collect { method -> ["${meta.id}.${method}".toString(), true] } }
    gaps = channel.fromList(planned)
        .join(finished, remainder: true)
        .filter { row -> row.last() == null }
        .toList()
    missing = gaps.map { rows -> absences(planned, rows, []) }

    costs = IMPUTE.out.measured
        .mix(BENCHMARK.out.measured)
        .map { meta, output -> costLine(meta.method, output) }
        .filter { line -> line }
        .collectFile(name: 'costs.csv', seed: costHeader(), newLine: true, sort: true)
    REPORT(
        EVALUATE.out.scores.map { _meta, _methods, file -> file }.toSortedList { file -> file.name }.filter { files -> files },
        gaps.map { rows -> absences(planned, rows, failuresBehind(around, rows)) },
        costs.ifEmpty([]),
    )

    versions = channel.topic('versions').map { _process, tool, version -> "${tool}: ${version}" }.unique()

    emit:
    missing  // channel: list of lines, empty where all went well
    versions // channel: 'tool: version'
}
