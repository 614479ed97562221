include { quoted ; quotedWords } from '../../../../functions/shell'

// Counts to normalised log2 values of the genes that vary most.
process SCINFILL_PREPROCESS {
    tag "${meta.id}"
    label 'process_low'

    conda "${moduleDir}/environment.yml"

    input:
    tuple val(meta), path(counts, stageAs: 'input/*'), val(layer), val(transpose)
    val keep_genes
    path gene_list, stageAs: 'genes/*'
    path model, stageAs: 'model/*'

    output:
    tuple val(meta), path("*.h5ad"), emit: h5ad
    tuple val("${task.process}"), val('scinfill'), eval("scinfill --version | sed 's/.* //'"), topic: versions, emit: versions_scinfill

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    def prefix = task.ext.prefix ?: "${meta.id}"
    def memory = task.memory ? "--max-memory ${task.memory.toMega()}M" : ''
    def kept = gene_list ? "--keep-genes ${quoted(gene_list)}" : keep_genes ? "--keep-genes ${quoted(keep_genes)}" : ''
    def like = model ? "--like ${quoted(model)}" : ''
    def options = [layer ? "--layer ${quoted(layer)}" : '', transpose ? '--transpose' : '', kept, like].join(' ')
    """
    scinfill preprocess ${quoted(counts)} \\
        ${options} \\
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
