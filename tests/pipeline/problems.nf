// What the pipeline's own checks say of many inputs, in one start of Nextflow. Takes and gives JSON.

include { schemas ; problemsOf ; initialise } from '../../nextflow/functions/initialise'
include { quoted ; quotedWords              } from '../../nextflow/functions/shell'

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
    def rules = schemas(projectDir.parent.parent)
    def given = new groovy.json.JsonSlurper().parseText(file(params.given).text)
    def checked = given.cases.collect { one ->
        def folder = file(one.launchDir)
        def run = [profile: one.profile ?: 'standard', launchDir: folder, workDir: folder.resolve(one.workDir ?: 'work'), stubRun: false, containerEngine: one.engine]
        def problems = problemsOf(one.params, rules, run)
        [problems: problems, job: problems ? null : initialise(one.params, rules, run)]
    }
    def said = [
        cases: checked,
        names: given.names.collect { name -> quoted(name) },
        arguments: given.arguments.collect { text -> quotedWords(text) },
    ]
    file(params.said).text = groovy.json.JsonOutput.toJson(plain(said))
}
