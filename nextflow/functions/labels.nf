// Whether a file has the label column that the samplesheet names.

include { readJson } from './parameters'

// What `scinfill inspect` says of a sample's label column: '' if it is there, or if there is none to look for. A stub says nothing of any column.
def labelProblem(meta, summary) {
    def columns = readJson(summary).obs
    return columns == null || !meta.labels || meta.labels in columns
        ? ''
        : "${meta.where}: sample '${meta.id}' has no obs column '${meta.labels}'; it has ${columns ? columns.join(', ') : 'none'}".toString()
}
