include { quotedWords } from '../../../../functions/shell'

// Hides known values, or takes molecules away, and keeps the truth in the file for EVALUATE.
process MASK {
    tag "${meta.id}"
    label 'process_low'

    input:
    tuple val(meta), path(h5ad), val(mode), val(fraction), val(null_genes), val(seed)

    output:
    tuple val(meta), path("${meta.id}.masked.h5ad"), emit: h5ad
    tuple val("${task.process}"), val('scinfill'), eval('scinfill --version | sed "s/.* //"'), topic: versions

    script:
    def args = quotedWords(task.ext.args ?: '')
    def memory = task.memory ? "--max-memory ${task.memory.toMega()}M" : ''
    """
    scinfill mask ${h5ad} \\
        --mode ${mode} \\
        --fraction ${fraction} \\
        --null-genes ${null_genes} \\
        --seed ${seed} \\
        --threads ${task.cpus} \\
        ${memory} \\
        ${args} \\
        -o ${meta.id}.masked.h5ad
    """

    stub:
    """
    touch ${meta.id}.masked.h5ad
    """
}
