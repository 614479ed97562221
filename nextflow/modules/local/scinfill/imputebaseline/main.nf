include { quotedWords } from '../../../../functions/shell'

// What the methods have to beat: one of the simple imputers, named by meta.method.
process IMPUTE_BASELINE {
    tag "${meta.id}.${meta.method}"
    label 'process_medium'

    input:
    tuple val(meta), path(h5ad)
    val seed

    output:
    tuple val(meta), path("${meta.id}.${meta.method}.h5ad"), emit: h5ad
    tuple val("${task.process}"), val('scinfill'), eval('scinfill --version | sed "s/.* //"'), topic: versions

    script:
    def args = quotedWords(task.ext.args ?: '')
    def memory = task.memory ? "--max-memory ${task.memory.toMega()}M" : ''
    """
    scinfill impute-baseline ${h5ad} \\
        --method ${meta.method} \\
        --seed ${seed} \\
        --threads ${task.cpus} \\
        ${memory} \\
        ${args} \\
        -o ${meta.id}.${meta.method}.h5ad
    """

    stub:
    """
    touch ${meta.id}.${meta.method}.h5ad
    """
}
