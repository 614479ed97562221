include { quoted ; quotedWords } from '../../../../functions/shell'

// All scores on one page; what is missing is named there.
process REPORT {
    label 'process_low'
    // By content: the table of costs is made anew in every run, and -resume should still find the report done.
    cache 'deep'

    input:
    path scores, stageAs: 'scores/*'
    val missing
    path costs

    output:
    path 'report.html', emit: html
    // File by file: published as a folder, they would replace a folder of that name with all that is in it.
    path 'figures/*', emit: figures, optional: true
    tuple val("${task.process}"), val('scinfill'), eval('scinfill --version | sed "s/.* //"'), topic: versions

    script:
    def args = quotedWords(task.ext.args ?: '')
    def cost = costs ? "--cost ${costs}" : ''
    def absent = missing.collect { line -> "--missing ${quoted(line)}" }.join(' ')
    """
    scinfill report scores/*.json \\
        ${absent} \\
        ${cost} \\
        ${args} \\
        --figures figures \\
        -o report.html
    """

    stub:
    """
    mkdir figures
    touch report.html figures/stub.svg
    """
}
