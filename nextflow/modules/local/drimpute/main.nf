include { quotedWords } from '../../../functions/shell'

// DrImpute (R, GPL) in an image of its own: log2 values in, imputed log2 values out, both Matrix Market, genes in rows.
process DRIMPUTE {
    tag "${meta.id}.${meta.method}"
    label 'process_high'

    input:
    tuple val(meta), path(folder)
    val seed

    output:
    tuple val(meta), path("${meta.id}.drimpute.mtx"), emit: matrix
    tuple val("${task.process}"), val('DrImpute'), eval('scinfill-drimpute --version'), topic: versions

    script:
    def args = quotedWords(task.ext.args ?: '')
    """
    scinfill-drimpute ${args} --seed ${seed} ${folder} ${meta.id}.drimpute.mtx
    """

    stub:
    """
    touch ${meta.id}.drimpute.mtx
    """
}
