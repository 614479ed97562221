include { quoted ; quotedWords } from '../../../../functions/shell'

// Counts to normalised log2 values of the genes that vary most.
process PREPROCESS {
    tag "${meta.id}"
    label 'process_low'

    input:
    tuple val(meta), path(counts, stageAs: 'input/*')

    output:
    tuple val(meta), path("${meta.id}.preprocessed.h5ad"), emit: h5ad
    tuple val("${task.process}"), val('scinfill'), eval('scinfill --version | sed "s/.* //"'), topic: versions

    script:
    def args = quotedWords(task.ext.args ?: '')
    def memory = task.memory ? "--max-memory ${task.memory.toMega()}M" : ''
    def layer = meta.layer ? "--layer ${quoted(meta.layer)}" : ''
    def transpose = meta.genes_in_rows ? '--transpose' : ''
    """
    scinfill preprocess ${quoted(counts)} \\
        ${layer} ${transpose} \\
        --threads ${task.cpus} \\
        ${memory} \\
        ${args} \\
        -o ${meta.id}.preprocessed.h5ad
    """

    stub:
    """
    touch ${meta.id}.preprocessed.h5ad
    """
}
