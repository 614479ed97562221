include { quotedWords } from '../../../../functions/shell'

// The result of a foreign program as the layer that EVALUATE reads.
process ADOPT {
    tag "${meta.id}.${meta.method}"
    label 'process_low'

    input:
    tuple val(meta), path(h5ad), path(matrix), val(scale)

    output:
    tuple val(meta), path("${meta.id}.${meta.method}.h5ad"), emit: h5ad
    tuple val("${task.process}"), val('scinfill'), eval('scinfill --version | sed "s/.* //"'), topic: versions

    script:
    def args = quotedWords(task.ext.args ?: '')
    """
    scinfill adopt ${h5ad} \\
        --matrix ${matrix} \\
        --method ${meta.method} \\
        --scale ${scale} \\
        ${args} \\
        -o ${meta.id}.${meta.method}.h5ad
    """

    stub:
    """
    touch ${meta.id}.${meta.method}.h5ad
    """
}
