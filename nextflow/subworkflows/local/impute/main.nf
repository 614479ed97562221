// Every dataset through every method.

include { IMPUTE_DEEPMC                      } from '../../../modules/local/scinfill/imputedeepmc'
include { IMPUTE_AUTO                        } from '../../../modules/local/scinfill/imputeauto'
include { IMPUTE_BASELINE                    } from '../../../modules/local/scinfill/imputebaseline'
include { IMPUTE_BASELINE as IMPUTE_MAGIC    } from '../../../modules/local/scinfill/imputebaseline'
include { EXPORT                             } from '../../../modules/local/scinfill/export'
include { SCIMPUTE                           } from '../../../modules/local/scimpute'
include { DRIMPUTE                           } from '../../../modules/local/drimpute'
include { ADOPT                              } from '../../../modules/local/scinfill/adopt'

workflow IMPUTE {
    take:
    datasets // channel: [ meta, h5ad ], preprocessed
    methods  // list of names
    estimate // which question the imputed value answers: 'auto' or 'detected'; only our own methods know the difference
    seed     // integer

    main:
    jobs = datasets
        .combine(channel.fromList(methods))
        .map { meta, h5ad, method -> [meta + [method: method], h5ad] }
        .branch { meta, _h5ad ->
            deepmc: meta.method == 'deepmc'
            auto: meta.method == 'auto'
            magic: meta.method == 'magic'
            foreign: meta.method in ['scimpute', 'drimpute']
            baseline: true
        }

    IMPUTE_DEEPMC(jobs.deepmc.map { meta, h5ad -> [meta, h5ad, estimate] }, seed)
    IMPUTE_AUTO(jobs.auto.map { meta, h5ad -> [meta, h5ad, estimate] }, seed)
    IMPUTE_BASELINE(jobs.baseline, seed)
    IMPUTE_MAGIC(jobs.magic, seed)

    // Programs of other languages: Matrix Market out, Matrix Market back.
    EXPORT(jobs.foreign)
    exported = EXPORT.out.folder.branch { meta, _folder ->
        scimpute: meta.method == 'scimpute'
        drimpute: meta.method == 'drimpute'
    }
    SCIMPUTE(exported.scimpute)
    DRIMPUTE(exported.drimpute, seed)
    returned = SCIMPUTE.out.matrix
        .map { meta, matrix -> [meta, matrix, 'counts'] }
        .mix(DRIMPUTE.out.matrix.map { meta, matrix -> [meta, matrix, 'log2'] })
    ADOPT(jobs.foreign.join(returned))

    imputed = IMPUTE_DEEPMC.out.h5ad.mix(
        IMPUTE_AUTO.out.h5ad,
        IMPUTE_BASELINE.out.h5ad,
        IMPUTE_MAGIC.out.h5ad,
        ADOPT.out.h5ad,
    )

    // Of a foreign method the program itself is measured, not the conversions around it.
    measured = IMPUTE_DEEPMC.out.h5ad.mix(
        IMPUTE_AUTO.out.h5ad,
        IMPUTE_BASELINE.out.h5ad,
        IMPUTE_MAGIC.out.h5ad,
        SCIMPUTE.out.matrix,
        DRIMPUTE.out.matrix,
    )

    emit:
    imputed  // channel: [ meta + method, h5ad ]
    measured // channel: [ meta + method, output of the task that took the time ]
}
