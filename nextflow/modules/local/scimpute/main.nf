include { quotedWords } from '../../../functions/shell'

// scImpute (R, GPL) in an image of its own: counts in, imputed counts out, both Matrix Market, genes in rows.
process SCIMPUTE {
    tag "${meta.id}"
    label 'process_high'

    input:
    tuple val(meta), path(folder)

    output:
    tuple val(meta), path("*.mtx"), emit: matrix
    tuple val("${task.process}"), val('scImpute'), eval("scinfill-scimpute --version"), topic: versions, emit: versions_scimpute

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    scinfill-scimpute ${args} --threads ${task.cpus} ${folder} ${prefix}.mtx
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.mtx
    """
}
