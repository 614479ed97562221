// From what the user gave to what the workflow needs, or to the list of what is wrong with it.

include { parameterRules ; parameterProblems ; typedParameters ; readJson } from './parameters'
include { commandWords ; givenNames ; configuredProblems                  } from './parameters'
include { samplesheetProblems ; samplesheetWarnings ; readSamplesheet     } from './samplesheet'
include { problemsBesideModel                                             } from './samplesheet'
include { workFolderProblems                                              } from './shell'
include { genesToKeep ; keepGenesProblems                                 } from './genes'
include { modelProblems ; savedModel                                      } from './model'
include { words ; methodProblems ; fractionProblems ; simulatedSamples    } from './plan'
include { skippedMethods ; maskPlan ; datasetsOf                          } from './plan'

def schemas(projectFolder) {
    return [
        parameters: readJson(projectFolder.resolve('nextflow_schema.json')),
        samplesheet: readJson(projectFolder.resolve('nextflow/assets/schema_input.json')),
    ]
}

// What the checks need to know of the run, apart from its parameters; the rest of Nextflow stays outside.
def surroundings(run, session) {
    def words = commandWords(run.commandLine)
    def trace = session.config.trace?.file
    return [
        given: givenNames(words, System.getenv('NXF_PARAMS_FILE')),
        profiles: run.profile.tokenize(','),
        launchFolder: run.launchDir,
        workFolder: run.workDir,
        workFolders: [run.workDir, session.bucketDir].findAll { folder -> folder }.collect { folder -> folder.toUriString() },
        // AWS Batch runs nothing but containers, whatever engine is named.
        engine: run.containerEngine ?: run.profile.tokenize(',').find { name -> name == 'awsbatch' },
        awsProgram: session.config.aws?.batch?.cliPath || run.fusion.enabled,
        stubRun: run.stubRun,
        trace: trace ? file(trace, glob: false) : null,
    ]
}

// What a cloud needs is asked for where its profile is used, and only there.
def cloudProblems(settings, around) {
    if (!('awsbatch' in around.profiles)) {
        return []
    }
    def needed = ['aws_queue'] + ('gpu' in around.profiles ? ['aws_gpu_queue'] : [])
    def missing = needed.findAll { name -> !settings[name] }.collect { name -> "--${name} is missing; -profile awsbatch needs it" }
    def bucket = around.workFolders.any { folder -> folder.startsWith('s3://') }
    return missing + (bucket ? [] : ["-profile awsbatch needs a work directory in a bucket: -work-dir s3://bucket/folder; received ${around.workFolders[0]}"])
}

def inputProblems(settings, schema, launchFolder) {
    if (settings.input) {
        def simulated = simulatedSamples(settings).collect { meta, _cells, _genes, _seed -> meta.id }
        def problems = samplesheetProblems(settings.input, schema, launchFolder, settings.labels, simulated)
        return problems || !settings.model ? problems : problemsBesideModel(settings.input, launchFolder, settings.labels)
    }
    return settings.simulate ? [] : ['--input is missing: give a samplesheet, or --simulate N for N simulated samples']
}

def problemsOf(values, schemas, around) {
    def rules = parameterRules(schemas.parameters)
    def problems = parameterProblems(values, rules, around.given)
    if (problems) {
        return problems
    }
    def settings = typedParameters(values, rules)
    if (!settings.outdir) {
        return ['--outdir is empty; give a folder']
    }
    return methodProblems(words(settings.methods))
        .plus(fractionProblems(words(settings.hidden_fractions)))
        .plus(cloudProblems(settings, around))
        .plus(workFolderProblems(around.workFolder))
        .plus(keepGenesProblems(settings.keep_genes, around.launchFolder))
        .plus(modelProblems(settings, around))
        .plus(inputProblems(withOwnSamples(settings, around), schemas.samplesheet, around.launchFolder))
}

// What does not stop a run and may yet be a mistake, of parameters without problems.
def warningsOf(values, schemas, around) {
    def onBatch = 'awsbatch' in around.profiles && !around.awsProgram
    def rules = parameterRules(schemas.parameters)
    def settings = typedParameters(values, rules)
    def ofSamples = settings.input ? samplesheetWarnings(settings.input, around.launchFolder, settings.labels) : []
    return configuredProblems(values, rules, around.given) + ofSamples + (onBatch
        ? ['every image must hold the program aws (containers/README.md, --build-arg AWS=yes), since --aws_cli_path names none on the machine image; else tasks end with exit code 127']
        : [])
}

// Samples, masks, methods and the results that are to come, from parameters without problems.
def initialise(values, schemas, around) {
    def settings = withOwnSamples(typedParameters(values, parameterRules(schemas.parameters)), around)
    def skipped = around.stubRun ? [:] : skippedMethods(words(settings.methods), images(settings), around.engine)
    // A model knows the one that trained it.
    def methods = settings.model && !('methods' in around.given) ? [] : words(settings.methods) - skipped.keySet()
    def samples = settings.input ? readSamplesheet(settings.input, around.launchFolder, around.workFolder, settings.labels) : []
    def simulated = simulatedSamples(settings)
    return [
        samples: samples,
        simulated: simulated,
        masks: maskPlan(settings),
        methods: methods,
        skipped: skipped,
        kept: genesToKeep(settings.keep_genes, around.launchFolder, around.workFolder),
        model: savedModel(settings, around.launchFolder, around.workFolder),
        datasets: datasetsOf((samples + simulated).collect { sample -> sample[0] }),
        seed: settings.seed,
    ]
}

// The test profiles simulate samples for those who give none; who gives a samplesheet gets these only by asking for them.
def withOwnSamples(settings, around) {
    def byProfile = around.profiles.any { name -> name in ['test', 'test_full'] } && !('simulate' in around.given)
    return settings.input && byProfile ? settings + [simulate: 0] : settings
}

// The images of methods that scinfill's own image does not hold.
def images(settings) {
    return ['magic', 'scimpute', 'drimpute', 'scvi'].collectEntries { name -> [name, settings["${name}_image".toString()]] }
}
