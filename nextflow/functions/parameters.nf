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

// What is wrong with a value, or ''. Values from the command line are text or already cast, as the parser likes.
def valueProblem(value, rule) {
    if (value == null || value == '' && rule.type == 'string') {
        return ''
    }
    def text = value.toString()
    if (rule.type == 'boolean') {
        return text in ['true', 'false'] ? '' : "must be true or false; received '${text}'"
    }
    if (value instanceof Boolean) {
        return 'needs a value'
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
    def text = value.toString()
    if (rule.type == 'boolean') {
        return text.toBoolean()
    }
    if (rule.type == 'integer') {
        return text as Integer
    }
    return rule.type == 'number' ? text as BigDecimal : text
}

// Every parameter as the type its rule asks for; empty text is null.
def typedParameters(given, rules) {
    return rules.collectEntries { name, rule -> [name, typedValue(given[name], rule)] }
}

// cpuImage, cpu-image and cpu_image are one name to the eye.
def plain(name) {
    return name.toLowerCase().replaceAll('[_-]', '')
}

def parameterProblems(given, rules) {
    def unknown = given.keySet()
        .findAll { name -> !rules.containsKey(name) }
        .collect { name ->
            def meant = rules.keySet().find { known -> plain(known) == plain(name) }
            meant ? "--${name} is no parameter; --${meant} is" : "--${name} is no parameter of this pipeline; --help lists them"
        }
    def wrong = rules
        .collect { name, rule -> [name, valueProblem(given[name], rule)] }
        .findAll { _name, problem -> problem }
        .collect { name, problem -> "--${name} ${problem}" }
    return unknown + wrong
}
