// What a run writes of itself into pipeline_info. Nothing here, nor elsewhere in the pipeline, deletes a file.

include { parameterRules ; typedParameters ; typedValue } from './parameters'
include { settled                                       } from './failures'

// What this run is, and which parameters differ from their defaults: its first lines.
def summary(run, given, schemas) {
    def rules = parameterRules(schemas.parameters)
    def differing = typedParameters(given, rules).findAll { name, value ->
        !rules[name].hidden && value != typedValue(rules[name].default, rules[name]) && !(value in [null, false])
    }
    def lines = [run: run.runName, profile: run.profile, work: run.workDir] + differing
    def width = lines.keySet().collect { name -> name.size() }.max()
    def title = "${run.manifest.name} ${run.manifest.version}"
    return ([title] + lines.collect { name, value -> "  ${name.padRight(width)} : ${value}" }).join('\n')
}

def parametersAsJson(given, schemas) {
    def settings = typedParameters(given, parameterRules(schemas.parameters)).findAll { _name, value -> value != null }
    return groovy.json.JsonOutput.prettyPrint(groovy.json.JsonOutput.toJson(settings))
}

// Writes a file below --outdir: '' if that went well, or what is wrong with --outdir. Only trying can tell: on a shared file
// system or in a bucket, what permissions say and what happens are two things.
def recordProblem(target, text, outdir) {
    try {
        java.nio.file.Files.createDirectories(target.parent)
        target.text = text
        return ''
    }
    catch (Exception failure) {
        return "--outdir ${outdir.toUriString()} cannot be written (${plainReason(failure)}); give a folder that you may write to"
    }
}

def plainReason(failure) {
    if (failure instanceof java.nio.file.FileAlreadyExistsException) {
        return "${failure.file} is a file"
    }
    if (failure instanceof java.nio.file.AccessDeniedException) {
        return 'permission denied'
    }
    if (failure instanceof java.nio.file.NoSuchFileException) {
        return "${failure.file} cannot be made"
    }
    return failure instanceof java.nio.file.FileSystemException && failure.reason ? failure.reason : failure.toString()
}

// The trace is kept on this machine while the run goes on, and put beside the other records at its end.
def keepTrace(trace, stats, target) {
    if (trace && trace.exists()) {
        def tries = stats.succeededCount + stats.cachedCount + stats.failedCount + stats.ignoredCount + stats.retriesCount
        target.text = settled({ text -> text.readLines().size() > tries }, { -> trace.text })
    }
}
