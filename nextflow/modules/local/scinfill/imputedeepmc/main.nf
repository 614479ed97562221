include { quoted ; quotedWords } from '../../../../functions/shell'

// Deep matrix factorisation.
process SCINFILL_IMPUTEDEEPMC {
    tag "${meta.id}"
    label 'process_medium'
    label 'process_gpu'

    conda "${moduleDir}/environment.yml"

    input:
    tuple val(meta), path(h5ad, stageAs: 'input/*'), val(estimate), val(batch)
    val seed

    output:
    tuple val(meta), path("*.h5ad"), emit: h5ad
    tuple val("${task.process}"), val('scinfill'), eval("scinfill --version | sed 's/.* //'"), topic: versions, emit: versions_scinfill

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    def prefix = task.ext.prefix ?: "${meta.id}"
    def memory = task.memory ? "--max-memory ${task.memory.toMega()}M" : ''
    def batches = batch ? "--batch ${quoted(batch)} " : ''
    def device = task.accelerator ? 'gpu' : 'cpu'
    """
    scinfill impute-deepmc ${h5ad} \\
        --estimate ${estimate} ${batches}\\
        --seed ${seed} \\
        --threads ${task.cpus} \\
        ${memory} \\
        --device ${device} \\
        ${args} \\
        -o ${prefix}.h5ad
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.h5ad
    """
}
