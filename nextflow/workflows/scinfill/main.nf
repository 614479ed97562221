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

workflow SCINFILL {
    take:
    samples   // channel: [ meta, counts ]; meta: id, labels, layer, genes_in_rows, line
    simulated // channel: [ meta, cells, genes, seed ]
    masks     // list of maps: name, mode, fraction, null_genes, seed
    methods   // list of names
    planned   // list of [ key, sample, method ]: every score that is to come
    seed      // integer

    main:
    // The one thing that only the files can tell: is the label column there? All are asked before any work starts.
    INSPECT(samples.filter { meta, _counts -> meta.labels })
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
    PREPROCESS(samples.combine(checked).map { meta, counts, _checked -> [meta, counts] }.mix(SIMULATE.out.counts))

    IMPUTE(PREPROCESS.out.h5ad, methods, 'auto', seed)
    BENCHMARK(PREPROCESS.out.h5ad, masks, methods, seed)
    EVALUATE(IMPUTE.out.imputed.mix(BENCHMARK.out.imputed), seed)

    // A branch that failed leaves a gap, which the report names.
    scores = EVALUATE.out.scores.map { meta, file -> ["${meta.id}.${meta.method}".toString(), file] }
    missing = channel.fromList(planned)
        .join(scores, remainder: true)
        .filter { row -> row.last() == null }
        .toList()
        .map { rows -> absences(planned, rows) }
    REPORT(
        scores.map { _key, file -> file }.toSortedList { file -> file.name }.filter { files -> files },
        missing,
    )

    versions = channel.topic('versions').map { _process, tool, version -> "${tool}: ${version}" }.unique()

    emit:
    missing  // channel: list of lines, empty where all went well
    versions // channel: 'tool: version'
}
