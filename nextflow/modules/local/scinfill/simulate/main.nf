include { quotedWords } from '../../../../functions/shell'

// A sample with known truth and cell types, for trying the pipeline out.
process SIMULATE {
    tag "${meta.id}"
    label 'process_low'

    input:
    tuple val(meta), val(cells), val(genes), val(seed)

    output:
    tuple val(meta), path("${meta.id}.h5ad"), emit: counts
    tuple val("${task.process}"), val('scinfill'), eval('scinfill --version | sed "s/.* //"'), topic: versions

    script:
    def args = quotedWords(task.ext.args ?: '')
    def memory = task.memory ? "--max-memory ${task.memory.toMega()}M" : ''
    """
    scinfill simulate \\
        --cells ${cells} \\
        --genes ${genes} \\
        --seed ${seed} \\
        --threads ${task.cpus} \\
        ${memory} \\
        ${args} \\
        -o ${meta.id}.h5ad
    """

    stub:
    """
    touch ${meta.id}.h5ad
    """
}
