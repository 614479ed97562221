// --model: the samples are imputed by a saved model, and nothing is trained.

include { escapable ; isNamable ; unnamable ; wordsOf } from './shell'
include { words                                       } from './plan'
include { valueOf                                     } from './trained'

// What an imputer can be told of new cells, beside a model; all else is of a training, or has a parameter of its own.
def optionsOfNewCells() {
    def own = ['--keep', '--openproblems', '--layer', '--uncertainty', '--batch', '--batch-effect', '--form', '--device', '--seed']
    return own + ['--threads', '--max-memory', '--quiet', '-q', '--verbose', '-v', '--debug', '--log-json']
}

// What chooses genes, and those of a model are chosen.
def choosingOptions() {
    return ['--n-genes', '--keep-genes', '--min-counts', '--min-cells', '--keep-spike-ins', '--spike-ins', '--preset', '--like']
}

def locateModel(text, launchFolder) {
    def path = text.contains('://') ? file(text, glob: false) : launchFolder.resolve(text)
    return path.exists() ? path : null
}

// What SCINFILL_PREPROCESS and the imputers take: the name that the user gave, and the file; and the words of what each imputer
// is told beside it. Null where there is no model.
def savedModel(settings, launchFolder, workFolder) {
    def text = settings.model
    return text
        ? [
            name: text,
            file: escapable(locateModel(text, launchFolder), workFolder),
            told: [deepmc: wordsOf(settings.deepmc_args ?: ''), auto: wordsOf(settings.auto_args ?: '')],
        ]
        : null
}

def modelProblems(settings, around) {
    if (!settings.model) {
        return settings.save_model ? savingProblems(settings) : []
    }
    if (!isNamable(settings.model)) {
        return ["--model ${unnamable()}"]
    }
    if (!locateModel(settings.model, around.launchFolder)) {
        return ["--model: there is no file ${settings.model}"]
    }
    return methodProblemsBeside(settings, around.given) + contradictions(settings, around.given) + argumentProblems(settings)
}

// Models are kept of the estimates shrunk and model, which say something of other cells.
def savingProblems(settings) {
    def trained = words(settings.methods).intersect(['deepmc', 'auto'])
    if (!trained) {
        return ["--save_model keeps models of deepmc and auto; add one of them to --methods, or leave it out; received '${settings.methods}'"]
    }
    return trained.collectMany { method ->
        def told = wordsOf(settings["${method}_args".toString()] ?: '')
        [['--estimate', 'detected'], ['--preset', 'paper']]
            .findAll { option, value -> valueOf(told, option) == value }
            .collect { option, value ->
                "--${method}_args: ${option} ${value} gives values of its own cells alone, of which --save_model can keep no model; leave one of them out".toString()
            }
    }
}

// The model knows which method trained it; who names one beside it is held to that, by modelProblem (trained.nf).
def methodProblemsBeside(settings, given) {
    return 'methods' in given && !(words(settings.methods) in [['deepmc'], ['auto']])
        ? ["--methods: beside --model there is one, deepmc or auto, the one that trained it; leave --methods out; received '${settings.methods}'"]
        : []
}

def contradictions(settings, given) {
    def reasons = [
        n_genes: 'chooses genes, and --model takes those of its training',
        keep_genes: 'chooses genes, and --model takes those of its training',
        save_model: 'keeps what was trained, and beside --model nothing is',
        hidden_fractions: 'asks what would have been seen in the place of a hidden value, and a model says what is expressed',
        null_genes: 'adds genes that --model does not know',
        join_args: 'is about samples that are joined, and beside --model none are',
    ]
    // The last two have values of their own.
    return reasons
        .findAll { name, _reason -> name in ['hidden_fractions', 'null_genes'] ? name in given && !(settings[name] in ['none', 0]) : settings[name] }
        .collect { name, reason -> "--${name} ${reason}; leave one of them out".toString() }
}

def argumentProblems(settings) {
    def ofImputers = ['deepmc_args', 'auto_args'].collectMany { name ->
        optionsIn(settings[name])
            .findAll { option -> !(option in optionsOfNewCells()) }
            .collect { option -> "--${name}: ${option} is of a training, and beside --model nothing is trained; leave one of them out".toString() }
    }
    def ofPreprocess = optionsIn(settings.preprocess_args)
        .findAll { option -> option in choosingOptions() }
        .collect { option -> "--preprocess_args: ${option} chooses genes, and --model takes those of its training; leave one of them out".toString() }
    return ofImputers + ofPreprocess
}

def optionsIn(text) {
    return wordsOf(text ?: '').findAll { word -> word ==~ /--?[A-Za-z].*/ }.collect { word -> word.tokenize('=')[0] }
}
