include { quoted ; quotedWords } from '../../../../functions/shell'

// Each sample of a joined table in a file of its own, under its own name.
process SCINFILL_SPLIT {
    tag "${meta.id}"
    label 'process_low'

    conda "${moduleDir}/environment.yml"

    input:
    tuple val(meta), path(h5ad, stageAs: 'input/*'), val(column)

    output:
    tuple val(meta), path("*.split/*.h5ad", arity: '1..*'), emit: h5ad
    tuple val("${task.process}"), val('scinfill'), eval("scinfill --version | sed 's/.* //'"), topic: versions, emit: versions_scinfill

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    def prefix = task.ext.prefix ?: "${meta.id}"
    def memory = task.memory ? "--max-memory ${task.memory.toMega()}M" : ''
    """
    scinfill split ${h5ad} \\
        --by ${quoted(column)} \\
        --threads ${task.cpus} \\
        ${memory} \\
        ${args} \\
        -o ${prefix}.split
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    mkdir ${prefix}.split
    touch ${prefix}.split/stub.h5ad
    """
}
