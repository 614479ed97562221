// What a run writes of itself into pipeline_info. Nothing here, nor elsewhere in the pipeline, deletes a file.

include { parameterRules ; typedParameters } from './parameters'
include { settled                          } from './failures'

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
