// What a saved model says of itself, as `scinfill inspect` tells it. No includes: the strict parser of 25.04 allows them in
// scripts that are included once.

// The method that a model was trained by, from what `scinfill inspect` says of it; a stub says nothing.
def methodOf(summary, methods) {
    return summary.model ? summary.model.command - 'impute-' : methods ? methods[0] : 'deepmc'
}

// What is wrong with a model, or ''. Methods is what the user named, if anything; the model has the words of what each imputer
// is told beside it. A stub says nothing.
def modelProblem(model, summary, methods) {
    def about = summary.model
    if (summary.containsKey('model') && !about) {
        return "--model: ${model.name} is no saved model; a run with --save_model keeps one for each sample or group in models/".toString()
    }
    if (about?.problem) {
        return "--model: ${model.name} cannot be used: ${about.problem}".toString()
    }
    def method = methodOf(summary, methods)
    if (methods && methods[0] != method) {
        return "--model: ${model.name} was trained by ${method}; give --methods ${method}, or leave --methods out; received '${methods[0]}'".toString()
    }
    return about ? toldProblem(model, about, method) : ''
}

// What the imputer would refuse to do with such a model (_check_model_has in methods/new_cells.py), or would never be told.
def toldProblem(model, about, method) {
    def other = method == 'auto' ? 'deepmc' : 'auto'
    if (model.told[other]) {
        return "--${other}_args: ${model.name} was trained by ${method}, and nothing is told to ${other}; leave it out, or give --${method}_args".toString()
    }
    def told = model.told[method]
    def removed = 'remove' in [about.batch_effect, valueOf(told, '--batch-effect')]
    def batch = valueOf(told, '--batch') ? '--batch' : valueOf(told, '--batch-effect') == 'remove' ? '--batch-effect remove' : ''
    def seen = '--openproblems' in told ? '--openproblems' : !(valueOf(told, '--keep') in [null, 'none']) ? '--keep' : ''
    def reason = '--uncertainty' in told && about.estimate != 'shrunk'
        ? "--uncertainty is of the estimate shrunk, and ${model.name} was trained for ${about.estimate}"
        : batch && !about.batch
            ? "${batch} needs a model with batches, and ${model.name} was trained without"
            : removed && seen ? "${seen} is of values as they were seen, and ${model.name} gives those of the average batch" : ''
    return reason ? "--${method}_args: ${reason}; leave one of them out".toString() : ''
}

// The value of an option that stands once or more among words, the last of them; null where it is not there.
def valueOf(told, option) {
    def at = told.findLastIndexOf { word -> word == option || word.startsWith("${option}=") }
    if (at < 0) {
        return null
    }
    return told[at] == option ? told[at + 1] : told[at].drop(option.size() + 1)
}
