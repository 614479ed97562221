// The counts and log2 values as Matrix Market files, for programs that read no H5AD.
process EXPORT {
    tag "${meta.id}.${meta.method}"
    label 'process_low'

    input:
    tuple val(meta), path(h5ad)

    output:
    tuple val(meta), path("${meta.id}.exported"), emit: folder
    tuple val("${task.process}"), val('scinfill'), eval('scinfill --version | sed "s/.* //"'), topic: versions

    script:
    """
    scinfill export ${h5ad} -o ${meta.id}.exported
    """

    stub:
    """
    mkdir ${meta.id}.exported
    """
}
