// Parameters against the rules in nextflow_schema.json. Functions take what they check and return what they found.

def readJson(path) {
    return new groovy.json.JsonSlurper().parseText(path.text)
}

// Name to rule, of all groups of nextflow_schema.json.
def parameterRules(schema) {
    return schema['$defs'].values().collectEntries { group -> group.properties }
}

def helpText(schema) {
    def groups = schema['$defs'].values().collect { group ->
        def lines = group.properties
            .findAll { _name, rule -> !rule.hidden }
            .collect { name, rule ->
                def fallback = rule.default in [null, '', false] ? '' : " [default: ${rule.default}]"
                "  --${name.padRight(18)} ${rule.description}${fallback}"
            }
        "${group.title}\n${lines.join('\n')}"
    }
    return """\
        |${schema.description}
        |
        |  nextflow run . -profile docker --input samplesheet.csv --outdir results
        |  nextflow run . -profile test
        |
        |${groups.join('\n\n')}""".stripMargin()
}

// The words of a command line as Nextflow records it: an argument stands in single quotes, or its special characters behind
// backslashes.
def commandWords(line) {
    return (line ?: '')
        .findAll(/(?s)(?:'[^']*'|\\.|[^\s'\\])+/)
        .collect { word -> word.replaceAll(/(?s)'([^']*)'|\\(.)/, '$1$2') }
}

// The names of the parameters that a user gave for this run, as written there: on the command line and in -params-file.
// All others come from configurations.
def givenNames(words, presetFile) {
    def option = words.indexOf('-params-file')
    def path = option >= 0 ? words[option + 1] : presetFile
    def named = words.findAll { word -> word.startsWith('--') }.collect { word -> word.drop(2).tokenize('=.')[0] }
    return (named.findAll { name -> name } + (path ? readNames(file(path, glob: false)) : [])).unique()
}

def readNames(path) {
    return path.name.endsWith('.json') ? readJson(path).keySet().toList() : new org.yaml.snakeyaml.Yaml().load(path.text).keySet().toList()
}

// What is wrong with a value, or ''. Values from the command line are text or already cast, as the parser likes.
def valueProblem(value, rule) {
    if (value == null || value == '' && rule.type == 'string') {
        return ''
    }
    if (value instanceof Collection && !('array' in rule.type) || value instanceof Map) {
        return "must be one value; received ${value}"
    }
    def text = plainText(value)
    if (rule.type == 'boolean') {
        return text in ['true', 'false'] ? '' : "must be true or false; received '${text}'"
    }
    if (value instanceof Boolean) {
        return "needs a value; one that begins with a dash is given with '=', in quotes"
    }
    if (rule.type == 'integer' && !(text ==~ /-?\d+/)) {
        return "must be a whole number; received '${text}'"
    }
    if (rule.type == 'number' && !text.isNumber()) {
        return "must be a number; received '${text}'"
    }
    if (rule.minimum != null && (text as BigDecimal) < rule.minimum) {
        return "must be at least ${rule.minimum}; received '${text}'"
    }
    if (rule.exclusiveMaximum != null && (text as BigDecimal) >= rule.exclusiveMaximum) {
        return "must be below ${rule.exclusiveMaximum}; received '${text}'"
    }
    def allowed = rule['enum']
    if (allowed && !(text in allowed)) {
        return "must be one of ${allowed.join(', ')}; received '${text}'"
    }
    if (rule.pattern && !(text ==~ rule.pattern)) {
        return "${rule.errorMessage}; received '${text}'"
    }
    return ''
}

def typedValue(value, rule) {
    if (value == null || value == '') {
        return null
    }
    def text = plainText(value)
    if (rule.type == 'boolean') {
        return text.toBoolean()
    }
    if (rule.type == 'integer') {
        return text as Integer
    }
    return rule.type == 'number' ? text as BigDecimal : text
}

// A list of a params file is what the command line has as words with commas between.
def plainText(value) {
    return value instanceof Collection ? value.join(',') : value.toString()
}

// Every parameter as the type its rule asks for; empty text is null.
def typedParameters(given, rules) {
    return rules.collectEntries { name, rule -> [name, typedValue(given[name], rule)] }
}

// cpuImage, cpu-image and cpu_image are one name to the eye.
def plain(name) {
    return name.toLowerCase().replaceAll('[_-]', '')
}

// The parameter that was most likely meant, or null.
def nearest(name, rules) {
    def shown = rules.findAll { _known, rule -> !rule.hidden }.keySet()
    def same = shown.find { known -> plain(known) == plain(name) }
    return same ?: shown.closest(name)[0]
}

// An unknown name is an error where the user gave it for this run; what configurations set may be meant for others.
def parameterProblems(values, rules, given) {
    def unknown = given
        .findAll { name -> !rules.containsKey(name) }
        .collect { name ->
            def meant = nearest(name, rules)
            def remedy = meant
                ? "the nearest is --${meant}"
                : "--help lists them, and what your site's configuration needs goes into a file for -c: params.${name} = ..."
            "--${name} is no parameter of this pipeline; ${remedy}"
        }
    def wrong = rules
        .collect { name, rule -> [name, valueProblem(values[name], rule)] }
        .findAll { _name, problem -> problem }
        .collect { name, problem -> "--${name} ${problem}" }
    // A value that was taken for a name of its own is explained by the parameter that lacks it.
    return wrong + unknown
}

// One line on what configurations set and this pipeline does not have: most of it is meant for other pipelines.
def configuredProblems(values, rules, given) {
    def asGiven = given.collect { name -> plain(name) }
    def unknown = values.keySet()
        .findAll { name -> !rules.containsKey(name) && !(plain(name) in asGiven) }
        .collect { name -> nearest(name, rules) ? "${name} (the nearest is ${nearest(name, rules)})" : name }
    return unknown ? ["a configuration sets parameters that this pipeline does not have: ${unknown.join(', ')}"] : []
}
