// What a saved model says of itself, as `scinfill inspect` tells it. No includes: the strict parser of 25.04 allows them in
// scripts that are included once.

// The method that a model was trained by, from what `scinfill inspect` says of it; a stub says nothing.
def methodOf(summary, methods) {
    return summary.model ? summary.model.command - 'impute-' : methods ? methods[0] : 'deepmc'
}

// What is wrong with a model, or ''; methods is what the user named, if anything.
def modelProblem(name, summary, methods) {
    if (summary.containsKey('model') && !summary.model) {
        return "--model: ${name} is no saved model; a run with --save_model keeps one for each sample or group in models/".toString()
    }
    def method = methodOf(summary, methods)
    return methods && methods[0] != method
        ? "--model: ${name} was trained by ${method}; give --methods ${method}, or leave --methods out; received '${methods[0]}'".toString()
        : ''
}
