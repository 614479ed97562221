include { quoted ; quotedWords } from '../../../../functions/shell'

// AutoImpute: an autoencoder.
process SCINFILL_IMPUTEAUTO {
    tag "${meta.id}"
    label 'process_medium'
    label 'process_gpu'

    conda "${moduleDir}/environment.yml"

    input:
    tuple val(meta), path(h5ad, stageAs: 'input/*'), val(estimate), val(batch)
    path model, stageAs: 'model/*'
    val seed

    output:
    tuple val(meta), path("${prefix}.h5ad"), emit: h5ad
    // Where ext.args asks for it (--save-model NAME.model.h5ad).
    tuple val(meta), path("*.model.h5ad"), emit: model, optional: true
    tuple val("${task.process}"), val('scinfill'), eval("scinfill --version | sed 's/.* //'"), topic: versions, emit: versions_scinfill

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    prefix = task.ext.prefix ?: "${meta.id}"
    def memory = task.memory ? "--max-memory ${task.memory.toMega()}M" : ''
    def batches = batch ? "--batch ${quoted(batch)} " : ''
    def reading = model ? "--model ${quoted(model)} " : ''
    // Nothing is trained beside a model.
    def device = task.accelerator && !model ? 'gpu' : 'cpu'
    """
    scinfill impute-auto ${h5ad} \\
        --estimate ${estimate} ${batches}${reading}\\
        --seed ${seed} \\
        --threads ${task.cpus} \\
        ${memory} \\
        --device ${device} \\
        ${args} \\
        -o ${prefix}.h5ad
    """

    stub:
    prefix = task.ext.prefix ?: "${meta.id}"
    def saved = (task.ext.args ?: '').contains('--save-model') ? "${prefix}.model.h5ad" : ''
    """
    touch ${prefix}.h5ad ${saved}
    """
}
