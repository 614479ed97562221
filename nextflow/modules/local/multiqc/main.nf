include { quotedWords } from '../../../functions/shell'

// One MultiQC report of the sections that scinfill report wrote.
process MULTIQC {
    label 'process_single'

    conda "${moduleDir}/environment.yml"

    input:
    path sections, stageAs: 'sections/*'
    path config

    output:
    path "*.html", emit: html
    path "*_data", emit: data
    tuple val("${task.process}"), val('multiqc'), eval("multiqc --version | sed 's/.* //'"), topic: versions, emit: versions_multiqc

    when:
    task.ext.when == null || task.ext.when

    script:
    def args = quotedWords(task.ext.args ?: '')
    def prefix = task.ext.prefix ?: 'multiqc_report'
    """
    multiqc --no-version-check --force ${args} --config ${config} --filename ${prefix}.html sections
    """

    stub:
    def prefix = task.ext.prefix ?: 'multiqc_report'
    """
    mkdir ${prefix}_data
    touch ${prefix}.html
    """
}
