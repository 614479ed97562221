include { quoted ; quotedWords } from '../../../../functions/shell'

// The papers' experiments on one dataset, all its methods beside each other and beside raw, gene mean and SVD.
process SCINFILL_EVALUATE {
    tag "${meta.id}"
    label 'process_low'

    conda "${moduleDir}/environment.yml"

    input:
    tuple val(meta), val(methods), path(h5ads), val(title), val(labels), path(bulk, stageAs: 'bulk/*'), path(de_truths, stageAs: 'truth?/*'), val(contrasts), val(batch)
    val seed

    output:
    tuple val(meta), path("*.scores.json"), emit: json
    tuple val(meta), path("*.genes.csv"), emit: csv
    tuple val("${task.process}"), val('scinfill'), eval("scinfill --version | sed 's/.* //'"), topic: versions, emit: versions_scinfill

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    def prefix = task.ext.prefix ?: "${meta.id}"
    def memory = task.memory ? "--max-memory ${task.memory.toMega()}M" : ''
    def files = h5ads instanceof List ? h5ads : [h5ads]
    def inputs = [methods, files].transpose().collect { method, file -> "${method}=${file}" }.join(' ')
    def batches = batch ? " --batch ${quoted(batch)}" : ''
    def column = labels ? "--labels ${quoted(labels)}" : ''
    def references = bulk ? "--bulk ${quoted(bulk)}" : ''
    def tables = de_truths instanceof List ? de_truths : [de_truths]
    def truths = [contrasts, tables].transpose().collect { contrast, table -> "--de-truth ${quoted(contrast + table.name)}" }.join(' ')
    """
    scinfill evaluate ${inputs} \\
        --title ${quoted(title)} \\
        ${column} ${references} ${truths}${batches} \\
        --table ${prefix}.genes.csv \\
        --seed ${seed} \\
        --threads ${task.cpus} \\
        ${memory} \\
        ${args} \\
        -o ${prefix}.scores.json
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    echo '{}' > ${prefix}.scores.json
    touch ${prefix}.genes.csv
    """
}
