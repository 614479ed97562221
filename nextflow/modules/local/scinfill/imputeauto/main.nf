include { quotedWords } from '../../../../functions/shell'

// AutoImpute: an autoencoder.
process IMPUTE_AUTO {
    tag "${meta.id}.${meta.method}"
    label 'process_medium'
    label 'process_gpu'

    input:
    tuple val(meta), path(h5ad), val(estimate)
    val seed

    output:
    tuple val(meta), path("${meta.id}.${meta.method}.h5ad"), emit: h5ad
    tuple val("${task.process}"), val('scinfill'), eval('scinfill --version | sed "s/.* //"'), topic: versions

    script:
    def args = quotedWords(task.ext.args ?: '')
    def memory = task.memory ? "--max-memory ${task.memory.toMega()}M" : ''
    def device = task.accelerator ? 'gpu' : 'cpu'
    """
    scinfill impute-auto ${h5ad} \\
        --estimate ${estimate} \\
        --seed ${seed} \\
        --threads ${task.cpus} \\
        ${memory} \\
        --device ${device} \\
        ${args} \\
        -o ${meta.id}.${meta.method}.h5ad
    """

    stub:
    """
    touch ${meta.id}.${meta.method}.h5ad
    """
}
