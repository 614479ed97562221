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
    scinfill inspect ${counts} -o ${meta.id}.inspected.json
    """

    stub:
    """
    echo '{"obs": ["${meta.labels}"]}' > ${meta.id}.inspected.json
    """
}
