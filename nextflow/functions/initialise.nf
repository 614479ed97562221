// From what the user gave to what the workflow needs, or to the list of what is wrong with it.

include { parameterRules ; parameterProblems ; typedParameters ; readJson } from './parameters'
include { samplesheetProblems ; readSamplesheet                           } from './samplesheet'
include { workFolderProblems                                              } from './shell'
include { words ; methodProblems ; fractionProblems ; simulatedSamples    } from './plan'
include { skippedMethods ; maskPlan ; plannedScores                       } from './plan'

def schemas(projectFolder) {
    return [
        parameters: readJson(projectFolder.resolve('nextflow/nextflow_schema.json')),
        samplesheet: readJson(projectFolder.resolve('nextflow/assets/schema_input.json')),
    ]
}

// A cloud's parameters are needed where its profile is used, and only there.
def cloudProblems(settings, profiles) {
    if (!('awsbatch' in profiles)) {
        return []
    }
    def needed = ['aws_queue', 'aws_workdir'] + ('gpu' in profiles ? ['aws_gpu_queue'] : [])
    return needed.findAll { name -> !settings[name] }.collect { name -> "--${name} is missing; -profile awsbatch needs it" }
}

def inputProblems(settings, schema, launchFolder) {
    if (settings.input) {
        return samplesheetProblems(settings.input, schema, launchFolder)
    }
    return settings.simulate ? [] : ['--input is missing: give a samplesheet, or --simulate N for N simulated samples']
}

def problemsOf(given, schemas, run) {
    def rules = parameterRules(schemas.parameters)
    def problems = parameterProblems(given, rules)
    if (problems) {
        return problems
    }
    def settings = typedParameters(given, rules)
    return methodProblems(words(settings.methods))
        .plus(fractionProblems(words(settings.hidden_fractions)))
        .plus(cloudProblems(settings, run.profile.tokenize(',')))
        .plus(workFolderProblems(run.workDir))
        .plus(inputProblems(settings, schemas.samplesheet, run.launchDir))
}

// Samples, masks, methods and the scores that are to come, from parameters without problems.
def initialise(given, schemas, run) {
    def settings = typedParameters(given, parameterRules(schemas.parameters))
    // AWS Batch runs nothing but containers, whatever engine is named.
    def engine = run.containerEngine ?: run.profile.tokenize(',').find { name -> name == 'awsbatch' }
    def skipped = run.stubRun ? [:] : skippedMethods(words(settings.methods), images(settings), engine)
    def methods = words(settings.methods) - skipped.keySet()
    def samples = settings.input ? readSamplesheet(settings.input, run.launchDir, run.workDir, settings.labels) : []
    def simulated = simulatedSamples(settings)
    def masks = maskPlan(settings)
    def names = (samples + simulated).collect { sample -> sample[0].id }
    return [
        samples: samples,
        simulated: simulated,
        masks: masks,
        methods: methods,
        skipped: skipped,
        planned: plannedScores(names, masks, methods),
        seed: settings.seed,
    ]
}

// The images of methods that scinfill's own image does not hold.
def images(settings) {
    return [magic: settings.magic_image, scimpute: settings.scimpute_image, drimpute: settings.drimpute_image]
}
