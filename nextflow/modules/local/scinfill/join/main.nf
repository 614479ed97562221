include { quoted ; quotedWords } from '../../../../functions/shell'

// Samples as one table, cell under cell; each cell's sample stands in a column of obs.
process SCINFILL_JOIN {
    tag "${meta.id}"
    label 'process_low'

    conda "${moduleDir}/environment.yml"

    input:
    tuple val(meta), val(names), path(counts, stageAs: 'input?/*'), val(layer), val(transpose), val(batch)

    output:
    tuple val(meta), path("*.h5ad"), emit: h5ad
    tuple val("${task.process}"), val('scinfill'), eval("scinfill --version | sed 's/.* //'"), topic: versions, emit: versions_scinfill

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    def prefix = task.ext.prefix ?: "${meta.id}"
    def memory = task.memory ? "--max-memory ${task.memory.toMega()}M" : ''
    def files = counts instanceof List ? counts : [counts]
    def inputs = [names, files].transpose().collect { name, file -> quoted(name + '=' + file) }.join(' ')
    def options = [layer ? "--layer ${quoted(layer)}" : '', transpose ? '--transpose' : ''].join(' ')
    """
    scinfill join ${inputs} \\
        --batch ${quoted(batch)} ${options} \\
        --threads ${task.cpus} \\
        ${memory} \\
        ${args} \\
        -o ${prefix}.h5ad
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.h5ad
    """
}
