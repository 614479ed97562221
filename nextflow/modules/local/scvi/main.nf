include { quotedWords } from '../../../functions/shell'

// scVI (PyTorch) in an environment or image of its own: counts in, expected counts out, both Matrix Market, genes in rows.
process SCVI {
    tag "${meta.id}"
    label 'process_medium'

    conda "${moduleDir}/environment.yml"

    input:
    tuple val(meta), path(folder)
    val seed

    output:
    tuple val(meta), path("*.mtx"), emit: matrix
    tuple val("${task.process}"), val('scvi-tools'), eval("scinfill-scvi --version"), topic: versions, emit: versions_scvitools

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    scinfill-scvi ${args} --seed ${seed} --threads ${task.cpus} ${folder} ${prefix}.mtx
    """

    stub:
    def prefix = task.ext.prefix ?: "${meta.id}"
    """
    touch ${prefix}.mtx
    """
}
