// What is to be done, known before it starts: methods, masks, scores.

// The parts of a comma-separated value; 'none' is the empty list on a command line that cannot pass empty text.
def words(text) {
    return (text ?: '').tokenize(',').collect { word -> word.trim() }.findAll { word -> word && word != 'none' }.unique()
}

def methodProblems(methods) {
    def known = ['deepmc', 'auto', 'als', 'nuclear-norm', 'svd', 'magic', 'scimpute', 'drimpute', 'scvi']
    if (!methods) {
        return ["--methods is empty; give one or more of ${known.join(', ')}"]
    }
    return (methods - known).collect { name -> "--methods: '${name}' is not known; give one or more of ${known.join(', ')}" }
}

// Why each method that cannot run here cannot, by name. MAGIC and scVI run without a container where they are installed.
def skippedMethods(methods, images, engine) {
    return methods
        .findAll { name -> images.containsKey(name) && (engine ? !images[name] : !(name in ['magic', 'scvi'])) }
        .collectEntries { name ->
            def remedy = engine ? "build it (containers/README.md) and name it by --${name}_image" : 'it needs a container engine (-profile docker and the like)'
            [name, "its image is absent; ${remedy}"]
        }
}

def fractionProblems(fractions) {
    return fractions
        .findAll { text -> !text.isNumber() || (text as BigDecimal) <= 0 || (text as BigDecimal) >= 1 }
        .collect { text -> "--hidden_fractions: each must lie between 0 and 1; received '${text}'" }
}

// Every mask of every replicate; equal replicates of different masks share a seed. A model answers what is expressed, not what
// would have been seen in the place of a hidden non-zero, and genes without signal were not among those of its training.
def maskPlan(settings) {
    def fractions = settings.model ? [] : words(settings.hidden_fractions)
    def nullGenes = settings.model ? 0 : settings.null_genes ?: 0
    def kinds = fractions.collect { fraction -> [mode: 'nonzero', fraction: fraction, null_genes: 0] }
    if (settings.thinned_fraction > 0) {
        kinds += [mode: 'thin', fraction: settings.thinned_fraction, null_genes: nullGenes]
    }
    if (!settings.skip_halves) {
        kinds += [mode: 'halves', fraction: 0.5, null_genes: nullGenes]
    }
    return [kinds, (1..<settings.replicates + 1).toList()]
        .combinations()
        .collect { kind, replicate ->
            kind + [name: "${kind.mode}-${kind.fraction}-${replicate}".toString(), seed: settings.seed + replicate]
        }
}

// The simulator's label column is known.
def simulatedSamples(settings) {
    return (1..<settings.simulate + 1).collect { number ->
        def name = "simulated_${number}".toString()
        def meta = [id: name, sample: name, labels: 'cell_type', layer: null, genes_in_rows: false, bulk: [], de_truths: [], contrasts: [], where: '--simulate']
        [meta, settings.simulate_cells, settings.simulate_genes, settings.seed + number]
    }
}

// [ key, dataset, method, tags ] of every result: the scores of each dataset as it is and under each mask, by each method,
// and the samples of a group, apart again. Datasets are the metas of samples and groups; what their tasks are tagged with
// begins with one of tags.
def plannedResults(datasets, masks, methods) {
    def grouped = datasets.findAll { meta -> meta.samples }
    def scores = [datasets, [''] + masks.collect { mask -> ".${mask.name}" }, methods, ['']].combinations()
    def apart = [grouped, [''], methods, [".samples"]].combinations()
    return (scores + apart).collect { meta, mask, method, part ->
        ["${meta.id}${mask}.${method}${part}".toString(), meta.id, method, [meta.id] + (meta.samples ?: [])]
    }
}

// The datasets that a sample list comes to: a group in the place of its samples.
def datasetsOf(metas) {
    return metas.collect { meta -> meta.group ?: meta }.unique()
}
