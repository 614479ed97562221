// What the pipeline's own checks say of many inputs, in one start of Nextflow. Takes and gives JSON.

include { schemas ; problemsOf ; warningsOf ; initialise } from '../../nextflow/functions/initialise'
include { commandWords ; givenNames                      } from '../../nextflow/functions/parameters'
include { reason                                         } from '../../nextflow/functions/failures'

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
    def asked = new groovy.json.JsonSlurper().parseText(file(params.cases).text)
    def said = asked.cases.collect { given ->
        def around = given.around + [launchFolder: file(given.around.launchFolder)]
        def problems = problemsOf(given.params, rules, around)
        [problems: problems, warnings: warningsOf(given.params, rules, around), job: problems ? null : initialise(given.params, rules, around)]
    }
    def names = asked.commands.collect { command -> givenNames(commandWords(command), null) }
    def reasons = asked.ends.collect { end -> reason(file(end.folder), end.exit, end.batch) }
    file(params.said).text = groovy.json.JsonOutput.toJson(plain([said: said, names: names, reasons: reasons]))
}
