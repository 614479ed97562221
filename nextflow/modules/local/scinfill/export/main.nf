include { quotedWords } from '../../../../functions/shell'

// The counts and log2 values as Matrix Market files, for programs that read no H5AD.
process SCINFILL_EXPORT {
    tag "${meta.id}"
    label 'process_low'

    conda "${moduleDir}/environment.yml"

    input:
    tuple val(meta), path(h5ad, stageAs: 'input/*')

    output:
    tuple val(meta), path("*.exported"), emit: folder
    tuple val("${task.process}"), val('scinfill'), eval("scinfill --version | sed 's/.* //'"), topic: versions, emit: versions_scinfill

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    scinfill export ${h5ad} \\
        ${args} \\
        -o ${prefix}.exported
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    mkdir ${prefix}.exported
    """
}
