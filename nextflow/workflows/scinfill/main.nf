// Samples to one report: impute and evaluate each with each method, and again with values hidden whose truth is known.

include { SCINFILL_SIMULATE                          } from '../../modules/local/scinfill/simulate'
include { SCINFILL_INSPECT                           } from '../../modules/local/scinfill/inspect'
include { SCINFILL_INSPECT as SCINFILL_INSPECT_MODEL } from '../../modules/local/scinfill/inspect'
include { SCINFILL_JOIN                              } from '../../modules/local/scinfill/join'
include { SCINFILL_PREPROCESS                        } from '../../modules/local/scinfill/preprocess'
include { SCINFILL_MASK                              } from '../../modules/local/scinfill/mask'
include { SCINFILL_SPLIT                             } from '../../modules/local/scinfill/split'
include { SCINFILL_EVALUATE                          } from '../../modules/local/scinfill/evaluate'
include { SCINFILL_REPORT                            } from '../../modules/local/scinfill/report'
include { MULTIQC                                    } from '../../modules/local/multiqc'
// Under all its names here: a script that includes others may be included by one script only, as the strict parser of 25.04
// takes a second time for a second definition of everything in it.
include { IMPUTE                                     } from '../../subworkflows/local/impute'
include { IMPUTE as IMPUTE_GROUPS                    } from '../../subworkflows/local/impute'
include { IMPUTE as IMPUTE_HIDDEN                    } from '../../subworkflows/local/impute'
include { IMPUTE as IMPUTE_MOLECULES                 } from '../../subworkflows/local/impute'
include { labelProblem                               } from '../../functions/labels'
include { readJson                                   } from '../../functions/parameters'
include { joinOf                                     } from '../../functions/groups'
include { plannedResults                             } from '../../functions/plan'
include { methodOf ; modelProblem                    } from '../../functions/trained'
include { absences ; failuresBehind ; unreadableModel } from '../../functions/failures'
include { costLine ; costHeader                      } from '../../functions/costs'

workflow SCINFILL {
    take:
    samples   // channel: [ meta, counts ]; meta: id, sample, labels, layer, genes_in_rows, bulk, de_truths, contrasts, where,
              // and of a sample that is joined with others: group, a meta of the same kind with samples, their names
    simulated // channel: [ meta, cells, genes, seed ]
    masks     // list of maps: name, mode, fraction, null_genes, seed
    methods   // list of names; beside a model the one that the user named, if any
    model     // map: name and file of a saved model, which imputes in the place of a training, and what imputers are told
              // beside it; or null
    kept      // map: names and list, a file of names: genes to keep whatever their dispersion
    datasets  // list of metas: samples, and groups in the place of theirs
    seed      // integer
    around    // map: what surrounds the run; its trace tells why a task failed
    config    // file: configuration of the MultiQC report

    main:
    // A model says by which method it was trained, before anything is done by it. Where it could not be read there is no
    // answer, and the task says why.
    SCINFILL_INSPECT_MODEL(model ? channel.of([[id: 'model'], model.file]) : channel.empty())
    trained = SCINFILL_INSPECT_MODEL.out.json
        .map { _meta, json ->
            def summary = readJson(json)
            def problem = modelProblem(model, summary, methods)
            if (problem) {
                error(problem)
            }
            methodOf(summary, methods)
        }
        .ifEmpty { model ? error(unreadableModel(model, around)) : methods }
    applied = model ? trained : channel.fromList(methods)
    saved = model ? model.file : []
    // Nothing else starts before it is known that the model can be used.
    ready = model ? trained : channel.of('there is none')

    // What only the files can tell: is the label column there, and is one there that is to hold the samples of a group? All
    // are asked before any work starts, and what cannot be read goes no further.
    asked = samples.combine(ready).map { meta, counts, _answer -> [meta, counts] }.branch { meta, _counts ->
        looked_into: meta.labels || meta.group
        other: true
    }
    SCINFILL_INSPECT(asked.looked_into)
    checked = SCINFILL_INSPECT.out.json
        .map { meta, summary -> labelProblem(meta, summary) }
        .filter { problem -> problem }
        .toSortedList()
        .map { problems ->
            if (problems) {
                error(problems[0])
            }
            true
        }

    readable = asked.looked_into
        .join(SCINFILL_INSPECT.out.json)
        .mix(asked.other.map { meta, counts -> [meta, counts, null] })
        .combine(checked)
        .map { meta, counts, summary, _checked -> [meta, counts, summary] }
        .branch { meta, _counts, _summary ->
            grouped: meta.group
            alone: true
        }

    // Samples of a group go on as one dataset, once all of them are there; without one of them the group ends here.
    SCINFILL_JOIN(
        readable.grouped
            .map { meta, counts, summary -> [groupKey(meta.group, meta.group.samples.size()), [meta, counts, readJson(summary)]] }
            .groupTuple()
            .map { key, members -> joinOf(key.getGroupTarget(), members) }
    )
    SCINFILL_SIMULATE(simulated.combine(ready).map { meta, cells, genes, number, _answer -> [meta, cells, genes, number] })
    SCINFILL_PREPROCESS(
        readable.alone
            .map { meta, counts, _summary -> [meta, counts] }
            .mix(SCINFILL_JOIN.out.h5ad, SCINFILL_SIMULATE.out.h5ad)
            .map { meta, counts -> [meta, counts, meta.layer, meta.genes_in_rows] },
        kept.names,
        kept.list,
        saved,
    )

    // What is known is hidden and asked for: every dataset under every mask.
    SCINFILL_MASK(
        SCINFILL_PREPROCESS.out.h5ad
            .combine(channel.fromList(masks))
            .map { meta, h5ad, mask ->
                def own = meta + [id: "${meta.id}.${mask.name}".toString(), mode: mask.mode]
                [own, h5ad, mask.mode, mask.fraction, mask.null_genes, mask.seed]
            }
    )
    masked = SCINFILL_MASK.out.h5ad.branch { meta, _h5ad ->
        molecules: meta.mode in ['thin', 'halves']
        hidden: true
    }

    // Hidden non-zeros ask what would have been seen, molecules what is expressed: two estimates.
    whole = SCINFILL_PREPROCESS.out.h5ad.branch { meta, _h5ad ->
        grouped: meta.batch
        alone: true
    }
    IMPUTE(whole.alone, applied, 'auto', saved, seed)
    IMPUTE_GROUPS(whole.grouped, applied, 'auto', saved, seed)
    IMPUTE_HIDDEN(masked.hidden, applied, 'detected', saved, seed)
    IMPUTE_MOLECULES(masked.molecules, applied, 'auto', saved, seed)
    imputed = IMPUTE.out.imputed.mix(IMPUTE_GROUPS.out.imputed, IMPUTE_HIDDEN.out.imputed, IMPUTE_MOLECULES.out.imputed)
    measured = IMPUTE.out.measured.mix(IMPUTE_GROUPS.out.measured, IMPUTE_HIDDEN.out.measured, IMPUTE_MOLECULES.out.measured)

    // What was imputed together is published apart.
    SCINFILL_SPLIT(IMPUTE_GROUPS.out.imputed.map { meta, h5ad -> [meta, h5ad, meta.batch] })

    // All methods of a dataset are compared in one call; those that failed are not waited for.
    compared = imputed
        .map { meta, h5ad -> [meta.dataset, [meta.method, h5ad]] }
        .groupTuple(size: model ? 1 : methods.size(), remainder: true)
        .map { meta, pairs ->
            def ordered = pairs.sort { pair -> methods.indexOf(pair[0]) }
            def names = ordered.collect { pair -> pair[0] }
            [
                meta + [methods: names],
                names,
                ordered.collect { pair -> pair[1] },
                meta.sample,
                meta.labels,
                meta.bulk,
                meta.de_truths,
                meta.contrasts,
                // Of data as they are: whether batches mix is asked within labels.
                meta.labels && !meta.mode ? meta.batch : null,
            ]
        }
    SCINFILL_EVALUATE(compared, seed)

    // A branch that failed leaves a gap, which the report names.
    apart = SCINFILL_SPLIT.out.h5ad
        .filter { meta, files -> around.stubRun || files.size() == meta.samples.size() }
        .map { meta, _files -> ["${meta.id}.samples".toString(), true] }
    finished = SCINFILL_EVALUATE.out.json
        .flatMap { meta, _file -> meta.methods.collect { method -> ["${meta.id}.${method}".toString(), true] } }
        .mix(apart)
    results = applied
        .flatMap { method -> plannedResults(datasets, masks, [method]) }
        .join(finished, remainder: true)
        .toSortedList { row -> row[0] }
    missing = results.map { rows -> absences(rows, []) }

    costs = measured
        .map { meta, output -> costLine(meta.method, output) }
        .filter { line -> line }
        .collectFile(name: 'costs.csv', seed: costHeader(), newLine: true, sort: true)
    SCINFILL_REPORT(
        SCINFILL_EVALUATE.out.json.map { _meta, file -> file }.toSortedList { file -> file.name }.filter { files -> files },
        results.map { rows -> absences(rows, failuresBehind(around, rows)) },
        costs.ifEmpty([]),
    )
    // Only where the report was asked for sections (--multiqc).
    MULTIQC(SCINFILL_REPORT.out.mqc, config)

    versions = channel.topic('versions').map { _process, tool, version -> "${tool}: ${version}" }.unique()

    emit:
    missing  // channel: list of lines, empty where all went well
    versions // channel: 'tool: version'
}
