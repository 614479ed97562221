include { quotedWords } from '../../../functions/shell'

// scImpute (R, GPL) in an image of its own: counts in, imputed counts out, both Matrix Market, genes in rows.
process SCIMPUTE {
    tag "${meta.id}.${meta.method}"
    label 'process_high'

    input:
    tuple val(meta), path(folder)

    output:
    tuple val(meta), path("${meta.id}.scimpute.mtx"), emit: matrix
    tuple val("${task.process}"), val('scImpute'), eval('scinfill-scimpute --version'), topic: versions

    script:
    def args = quotedWords(task.ext.args ?: '')
    """
    scinfill-scimpute ${args} --threads ${task.cpus} ${folder} ${meta.id}.scimpute.mtx
    """

    stub:
    """
    touch ${meta.id}.scimpute.mtx
    """
}
