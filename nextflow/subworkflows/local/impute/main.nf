// Every dataset through every method.

include { SCINFILL_IMPUTEDEEPMC                            } from '../../../modules/local/scinfill/imputedeepmc'
include { SCINFILL_IMPUTEAUTO                              } from '../../../modules/local/scinfill/imputeauto'
include { SCINFILL_IMPUTEBASELINE                          } from '../../../modules/local/scinfill/imputebaseline'
include { SCINFILL_IMPUTEBASELINE as SCINFILL_IMPUTEMAGIC  } from '../../../modules/local/scinfill/imputebaseline'
include { SCINFILL_EXPORT                                  } from '../../../modules/local/scinfill/export'
include { SCIMPUTE                                         } from '../../../modules/local/scimpute'
include { DRIMPUTE                                         } from '../../../modules/local/drimpute'
include { SCVI                                             } from '../../../modules/local/scvi'
include { SCINFILL_ADOPT                                   } from '../../../modules/local/scinfill/adopt'

workflow IMPUTE {
    take:
    datasets // channel: [ meta, h5ad ], preprocessed; meta.batch: the column of samples that were joined
    methods  // channel: names
    estimate // which question the imputed value answers: 'auto' or 'detected'; only our own methods know the difference
    model    // a saved model by which deepmc and auto impute, or an empty list: they train
    seed     // integer

    main:
    jobs = datasets
        .combine(methods)
        .map { meta, h5ad, method -> [meta + [id: "${meta.id}.${method}".toString(), dataset: meta, method: method], h5ad] }
        .branch { meta, _h5ad ->
            deepmc: meta.method == 'deepmc'
            auto: meta.method == 'auto'
            magic: meta.method == 'magic'
            foreign: meta.method in ['scimpute', 'drimpute', 'scvi']
            baseline: true
        }

    SCINFILL_IMPUTEDEEPMC(jobs.deepmc.map { meta, h5ad -> [meta, h5ad, estimate, meta.batch] }, model, seed)
    SCINFILL_IMPUTEAUTO(jobs.auto.map { meta, h5ad -> [meta, h5ad, estimate, meta.batch] }, model, seed)
    SCINFILL_IMPUTEBASELINE(jobs.baseline.map { meta, h5ad -> [meta, h5ad, meta.method] }, seed)
    SCINFILL_IMPUTEMAGIC(jobs.magic.map { meta, h5ad -> [meta, h5ad, meta.method] }, seed)

    // Programs of others: Matrix Market out, Matrix Market back.
    SCINFILL_EXPORT(jobs.foreign)
    exported = SCINFILL_EXPORT.out.folder.branch { meta, _folder ->
        scimpute: meta.method == 'scimpute'
        drimpute: meta.method == 'drimpute'
        scvi: meta.method == 'scvi'
    }
    SCIMPUTE(exported.scimpute)
    DRIMPUTE(exported.drimpute, seed)
    SCVI(exported.scvi, seed)
    returned = SCIMPUTE.out.matrix
        .mix(SCVI.out.matrix)
        .map { meta, matrix -> [meta, matrix, meta.method, 'counts'] }
        .mix(DRIMPUTE.out.matrix.map { meta, matrix -> [meta, matrix, meta.method, 'log2'] })
    SCINFILL_ADOPT(jobs.foreign.join(returned))

    imputed = SCINFILL_IMPUTEDEEPMC.out.h5ad.mix(
        SCINFILL_IMPUTEAUTO.out.h5ad,
        SCINFILL_IMPUTEBASELINE.out.h5ad,
        SCINFILL_IMPUTEMAGIC.out.h5ad,
        SCINFILL_ADOPT.out.h5ad,
    )

    // Of a foreign method the program itself is measured, not the conversions around it.
    measured = SCINFILL_IMPUTEDEEPMC.out.h5ad.mix(
        SCINFILL_IMPUTEAUTO.out.h5ad,
        SCINFILL_IMPUTEBASELINE.out.h5ad,
        SCINFILL_IMPUTEMAGIC.out.h5ad,
        SCIMPUTE.out.matrix,
        DRIMPUTE.out.matrix,
        SCVI.out.matrix,
    )

    emit:
    imputed  // channel: [ meta + dataset (the meta that came in) and method, h5ad ]
    measured // channel: [ the same, output of the task that took the time ]
}
