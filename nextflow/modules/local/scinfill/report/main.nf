include { quoted ; quotedWords } from '../../../../functions/shell'

// All scores on one page; what is missing is named there.
process REPORT {
    label 'process_low'

    input:
    path scores, stageAs: 'scores/*'
    val missing

    output:
    path 'report.html', emit: html
    path 'figures', emit: figures
    tuple val("${task.process}"), val('scinfill'), eval('scinfill --version | sed "s/.* //"'), topic: versions

    script:
    def args = quotedWords(task.ext.args ?: '')
    def absent = missing.collect { line -> "--missing ${quoted(line)}" }.join(' ')
    """
    scinfill report scores/*.json \\
        ${absent} \\
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
