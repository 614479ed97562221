include { quoted } from '../../../../functions/shell'

// What a file holds, so that a wrong label column is named before any work starts.
process INSPECT {
    tag "${meta.id}"

    input:
    tuple val(meta), path(counts, stageAs: 'input/*')

    output:
    tuple val(meta), path("${meta.id}.inspected.json"), emit: summary
    tuple val("${task.process}"), val('scinfill'), eval('scinfill --version | sed "s/.* //"'), topic: versions

    script:
    """
    scinfill inspect ${quoted(counts)} -o ${meta.id}.inspected.json
    """

    stub:
    def summary = groovy.json.JsonOutput.toJson([obs: [meta.labels]])
    """
    echo ${quoted(summary)} > ${meta.id}.inspected.json
    """
}
