include { quoted ; quotedWords } from '../../../../functions/shell'

// The papers' experiments on one dataset, all its methods beside each other and beside raw, gene mean and SVD.
process EVALUATE {
    tag "${meta.id}"
    label 'process_low'

    input:
    tuple val(meta), val(methods), path(h5ads), path(bulk, stageAs: 'bulk/*'), path(de_truths, stageAs: 'truth?/*')
    val seed

    output:
    tuple val(meta), val(methods), path("${meta.id}.scores.json"), emit: scores
    tuple val(meta), path("${meta.id}.genes.csv"), emit: genes
    tuple val("${task.process}"), val('scinfill'), eval('scinfill --version | sed "s/.* //"'), topic: versions

    script:
    def args = quotedWords(task.ext.args ?: '')
    def memory = task.memory ? "--max-memory ${task.memory.toMega()}M" : ''
    def files = h5ads instanceof List ? h5ads : [h5ads]
    def inputs = [methods, files].transpose().collect { method, file -> "${method}=${file}" }.join(' ')
    def labels = meta.labels ? "--labels ${quoted(meta.labels)}" : ''
    def references = bulk ? "--bulk ${quoted(bulk)}" : ''
    def tables = de_truths instanceof List ? de_truths : [de_truths]
    def truths = [meta.contrasts, tables].transpose().collect { contrast, table -> "--de-truth ${quoted(contrast + table.name)}" }.join(' ')
    """
    scinfill evaluate ${inputs} \\
        --title ${quoted(meta.sample)} \\
        ${labels} ${references} ${truths} \\
        --table ${meta.id}.genes.csv \\
        --seed ${seed} \\
        --threads ${task.cpus} \\
        ${memory} \\
        ${args} \\
        -o ${meta.id}.scores.json
    """

    stub:
    """
    echo '{}' > ${meta.id}.scores.json
    touch ${meta.id}.genes.csv
    """
}
