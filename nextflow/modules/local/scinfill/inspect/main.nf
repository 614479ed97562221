include { quoted ; quotedWords } from '../../../../functions/shell'

// What a file holds, so that a wrong label column is named before any work starts.
process SCINFILL_INSPECT {
    tag "${meta.id}"
    label 'process_single'

    conda "${moduleDir}/environment.yml"

    input:
    tuple val(meta), path(counts, stageAs: 'input/*')

    output:
    tuple val(meta), path("*.json"), emit: json
    tuple val("${task.process}"), val('scinfill'), eval("scinfill --version | sed 's/.* //'"), topic: versions, emit: versions_scinfill

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    scinfill inspect ${quoted(counts)} \\
        ${args} \\
        -o ${prefix}.json
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    echo '{}' > ${prefix}.json
    """
}
