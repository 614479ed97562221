include { quoted ; quotedWords } from '../../../../functions/shell'

// All scores on one page; what is missing is named there.
process SCINFILL_REPORT {
    label 'process_low'
    // By content: the table of costs is made anew in every run, and -resume should still find the report done.
    cache 'deep'

    conda "${moduleDir}/environment.yml"

    input:
    path scores, stageAs: 'scores/*'
    val missing
    path costs

    output:
    path "*.html", emit: html
    // File by file: published as a folder, they would replace a folder of that name with all that is in it.
    path 'figures/*', emit: figures, optional: true
    path '*_mqc.json', emit: mqc, optional: true
    tuple val("${task.process}"), val('scinfill'), eval("scinfill --version | sed 's/.* //'"), topic: versions, emit: versions_scinfill

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    def prefix = task.ext.prefix ?: 'report'
    def cost = costs ? "--cost ${costs}" : ''
    def absent = missing.collect { line -> "--missing ${quoted(line)}" }.join(' ')
    """
    scinfill report scores/*.json \\
        ${absent} \\
        ${cost} \\
        ${args} \\
        --figures figures \\
        -o ${prefix}.html
    """

    stub:
    def prefix = task.ext.prefix ?: 'report'
    def sections = (task.ext.args ?: '').contains('--multiqc') ? "echo '{}' > stub_mqc.json" : ''
    """
    mkdir figures
    touch ${prefix}.html figures/stub.svg
    ${sections}
    """
}
