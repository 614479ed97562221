// The papers' experiments on one imputed file.
process EVALUATE {
    tag "${meta.id}.${meta.method}"
    label 'process_low'

    input:
    tuple val(meta), path(h5ad)
    val seed

    output:
    tuple val(meta), path("${meta.id}.${meta.method}.scores.json"), emit: scores
    tuple val("${task.process}"), val('scinfill'), eval('scinfill --version | sed "s/.* //"'), topic: versions

    script:
    def args = task.ext.args ?: ''
    def labels = meta.labels ? "--labels '${meta.labels}'" : ''
    """
    scinfill evaluate ${h5ad} \\
        ${labels} \\
        --seed ${seed} \\
        --threads ${task.cpus} \\
        ${args} \\
        --output ${meta.id}.${meta.method}.scores.json
    """

    stub:
    """
    echo '{}' > ${meta.id}.${meta.method}.scores.json
    """
}
