// What the pipeline's own checks say of many inputs, in one start of Nextflow. Takes and gives JSON.

include { schemas ; problemsOf ; warningsOf ; initialise } from '../../nextflow/functions/initialise'
include { commandWords ; givenNames                      } from '../../nextflow/functions/parameters'
include { reason                                         } from '../../nextflow/functions/failures'
include { quoted ; quotedWords                           } from '../../nextflow/functions/shell'
include { recordProblem                                  } from '../../nextflow/functions/bookkeeping'
include { joinOf                                         } from '../../nextflow/functions/groups'
include { plannedResults                                 } from '../../nextflow/functions/plan'
include { modelProblem ; methodOf                        } from '../../nextflow/functions/trained'
include { optionsOfNewCells ; choosingOptions            } from '../../nextflow/functions/model'

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

// Two samples of a group with what their files hold; tasks end in any order.
def joined(summaries) {
    def members = ['a', 'c'].withIndex().collect { name, number -> [[sample: name], "${name}.h5ad", summaries[number]] }
    def (meta, names, counts, _layer, _transpose, batch) = joinOf([samples: ['a', 'c']], members.reverse())
    assert meta.batch == batch
    return [names: names, counts: counts, column: batch]
}

// A job with every result that is to come.
def planned(job) {
    return job + [planned: plannedResults(job.datasets, job.masks, job.methods)]
}

workflow {
    def rules = schemas(projectDir.parent.parent)
    def asked = new groovy.json.JsonSlurper().parseText(file(params.asked).text)
    def checked = asked.cases.collect { given ->
        def folder = file(given.around.launchFolder)
        def around = given.around + [launchFolder: folder, workFolder: folder.resolve(given.around.workFolder)]
        def problems = problemsOf(given.params, rules, around)
        problems
            ? [problems: problems]
            : [problems: [], warnings: warningsOf(given.params, rules, around), job: planned(initialise(given.params, rules, around))]
    }
    def said = [
        cases: checked,
        given: asked.commands.collect { command -> givenNames(commandWords(command), null) },
        reasons: asked.ends.collect { end -> reason(file(end.folder), end.exit, end.batch) },
        names: asked.names.collect { name -> quoted(name) },
        joins: asked.columns.collect { summaries -> joined(summaries) },
        models: asked.models.collect { about -> [modelProblem([name: 'm.h5ad', told: about.told], about.summary, about.methods), methodOf(about.summary, about.methods)] },
        folders: asked.folders.collect { path -> recordProblem(file(path).resolve('pipeline_info/params.json'), '{}', file(path)) },
        options: [cells: optionsOfNewCells(), genes: choosingOptions()],
        arguments: asked.arguments.collect { text -> quotedWords(text) },
    ]
    file(params.said).text = groovy.json.JsonOutput.toJson(plain(said))
}
