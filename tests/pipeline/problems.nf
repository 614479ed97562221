// What the pipeline's own checks say of many inputs, in one start of Nextflow. Takes and gives JSON.

include { schemas ; problemsOf ; initialise } from '../../nextflow/functions/initialise'

// Paths are iterable, and endless as JSON.
def plain(value) {
    if (value instanceof java.nio.file.Path || value instanceof GString) {
        return value.toString()
    }
    if (value instanceof Map) {
        return value.collectEntries { name, part -> [name, plain(part)] }
    }
    return value instanceof Collection ? value.collect { part -> plain(part) } : value
}

workflow {
    def rules = schemas(file("${projectDir}/../.."))
    def cases = new groovy.json.JsonSlurper().parseText(file(params.cases).text)
    def said = cases.collect { given ->
        def run = [profile: given.profile ?: 'standard', launchDir: file(given.launchDir), stubRun: false, containerEngine: given.engine]
        def problems = problemsOf(given.params, rules, run)
        [problems: problems, job: problems ? null : initialise(given.params, rules, run)]
    }
    file(params.said).text = groovy.json.JsonOutput.toJson(plain(said))
}
