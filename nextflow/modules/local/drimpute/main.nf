include { quotedWords } from '../../../functions/shell'

// DrImpute (R, GPL) in an image of its own: log2 values in, imputed log2 values out, both Matrix Market, genes in rows.
process DRIMPUTE {
    tag "${meta.id}"
    label 'process_high'

    input:
    tuple val(meta), path(folder)
    val seed

    output:
    tuple val(meta), path("*.mtx"), emit: matrix
    tuple val("${task.process}"), val('DrImpute'), eval("scinfill-drimpute --version"), topic: versions, emit: versions_drimpute

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    scinfill-drimpute ${args} --seed ${seed} ${folder} ${prefix}.mtx
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.mtx
    """
}
