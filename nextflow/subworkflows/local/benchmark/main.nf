// What is known is hidden and asked for: every sample under every mask, through every method.

include { MASK                    } from '../../../modules/local/scinfill/mask'
include { IMPUTE as IMPUTE_HIDDEN } from '../impute'
include { IMPUTE as IMPUTE_THINNED } from '../impute'

workflow BENCHMARK {
    take:
    samples // channel: [ meta, h5ad ], preprocessed
    masks   // list of maps: name, mode, fraction, null_genes, seed
    methods // list of names
    seed    // integer

    main:
    MASK(
        samples
            .combine(channel.fromList(masks))
            .map { meta, h5ad, mask ->
                [meta + [id: "${meta.id}.${mask.name}", mode: mask.mode], h5ad, mask.mode, mask.fraction, mask.null_genes, mask.seed]
            }
    )
    masked = MASK.out.h5ad.branch { meta, _h5ad ->
        thinned: meta.mode == 'thin'
        hidden: true
    }

    // Hidden non-zeros ask what would have been seen, molecules what is expressed: two estimates.
    IMPUTE_HIDDEN(masked.hidden, methods, 'detected', seed)
    IMPUTE_THINNED(masked.thinned, methods, 'auto', seed)
    imputed = IMPUTE_HIDDEN.out.imputed.mix(IMPUTE_THINNED.out.imputed)

    measured = IMPUTE_HIDDEN.out.measured.mix(IMPUTE_THINNED.out.measured)

    emit:
    imputed  // channel: [ meta + method, h5ad ]
    measured // channel: [ meta + method, output of the task that took the time ]
}
