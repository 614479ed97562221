// The samplesheet against the rules in assets/schema_input.json; every problem names its line.

include { valueProblem                      } from './parameters'
include { escapable ; isNamable ; unnamable } from './shell'
include { groupProblems ; groupsOf          } from './groups'
include { groupWarnings ; groupsBesideModel } from './groups'

// The rows as [ line, fields ], the header first; blank lines are left out and still counted.
def sheetRows(sheet) {
    def separator = sheet.name.endsWith('.tsv') ? '\t' : ','
    return sheet.text
        .replaceFirst('^\uFEFF', '')
        .readLines()
        .withIndex(1)
        .findAll { text, _line -> text.trim() }
        .collect { text, line -> [line, fieldsOf(text, separator)] }
}

// The fields of a line after RFC 4180: bare, or in double quotes, which stand doubled inside; blanks around are no part of them.
def fieldsOf(line, separator) {
    def field = "\\G${separator} *(?:\"([^\"]*(?:\"\"[^\"]*)*)\" *(?=${separator}|\\z)|([^${separator}]*))"
    return (separator + line).findAll(field.toString()) { _all, inQuotes, bare -> inQuotes?.replace('""', '"') ?: (bare ?: '').trim() }
}

def headerProblems(sheet, header, rules, required) {
    def unknown = (header - rules.keySet()).collect { name -> "column '${name}' is not known; known are ${rules.keySet().join(', ')}" }
    def missing = (required - header).collect { name -> "the column '${name}' is missing" }
    def twice = header.countBy { name -> name }.findAll { _name, count -> count > 1 }.collect { name, _count -> "the column '${name}' is there twice" }
    return (unknown + missing + twice).collect { problem -> "${sheet.name}, line 1: ${problem}" }
}

// The paths of a row by column; only de_truth may hold several, with semicolons between.
def pathsOf(row) {
    def several = (row.de_truth ?: '').tokenize(';').collect { path -> path.trim() }.findAll { path -> path }
    return [counts: [row.counts], bulk: row.bulk ? [row.bulk] : [], de_truth: several]
}

// Relative paths count from where the run was started, else from the samplesheet's folder. [1], * and ? are letters, not a pattern.
def locate(path, sheet, launchFolder) {
    def absolute = path.startsWith('/') || path.contains('://')
    def candidates = absolute ? [file(path, glob: false)] : [launchFolder.resolve(path), sheet.parent.resolve(path)]
    return candidates.find { candidate -> candidate.exists() }
}

def pathProblem(path, sheet, launchFolder) {
    if (!isNamable(path)) {
        return "${path} ${unnamable()}"
    }
    return locate(path, sheet, launchFolder) ? '' : "there is no file ${path}"
}

def rowProblem(sheet, fields, columns, rules, required, launchFolder) {
    if (fields.size() != columns.size()) {
        return "${fields.size()} fields, but the header has ${columns.size()}"
    }
    def row = [columns, fields].transpose().collectEntries()
    def missing = required.find { name -> !row[name] }
    if (missing) {
        return "'${missing}' is empty"
    }
    def wrong = row.find { name, value -> valueProblem(value, rules[name]) }
    if (wrong) {
        return "'${wrong.key}' ${valueProblem(wrong.value, rules[wrong.key])}"
    }
    def problems = pathsOf(row).collectMany { name, texts -> texts.collect { text -> [name, pathProblem(text, sheet, launchFolder)] } }
    def absent = problems.find { _name, problem -> problem }
    return absent ? "'${absent[0]}': ${absent[1]}" : ''
}

def duplicateProblems(sheet, rows, column) {
    return rows
        .groupBy { _line, fields -> fields[column] }
        .findAll { _name, same -> same.size() > 1 }
        .collect { name, same -> "${sheet.name}, line ${same[1][0]}: sample '${name}' is already on line ${same[0][0]}" }
}

// Results are named after samples and groups, so none may have the name of a simulated sample beside it.
def takenNameProblems(sheetName, samples, taken) {
    return samples.collectMany { sample ->
        [sample: sample.sample, group: sample.group]
            .findAll { _kind, name -> name in taken }
            .collect { kind, name -> "${sheetName}, line ${sample.line}: ${kind} '${name}' has the name of a simulated sample; give it another, or leave out --simulate".toString() }
    }
}

def samplesheetProblems(path, schema, launchFolder, labels, taken) {
    if (!isNamable(path)) {
        return ["--input ${unnamable()}"]
    }
    def sheet = file(path, glob: false)
    if (!sheet.exists()) {
        return ["--input: there is no file ${sheet}"]
    }
    def rows = sheetRows(sheet)
    if (!rows) {
        return ["${sheet.name} is empty; its first line must name the columns: sample,counts,..."]
    }
    def rules = schema.items.properties
    def required = schema.items.required
    def header = rows[0][1]
    def problems = headerProblems(sheet, header, rules, required)
    if (problems) {
        return problems
    }
    if (rows.size() == 1) {
        return ["${sheet.name} has a header and no samples"]
    }
    def wrong = rows.tail()
        .collect { line, fields -> [line, rowProblem(sheet, fields, header, rules, required, launchFolder)] }
        .findAll { _line, problem -> problem }
        .collect { line, problem -> "${sheet.name}, line ${line}: ${problem}" }
    return wrong
        ?: duplicateProblems(sheet, rows.tail(), header.indexOf('sample'))
        ?: groupProblems(sheet.name, samplesOf(sheet, launchFolder, labels))
        ?: takenNameProblems(sheet.name, samplesOf(sheet, launchFolder, labels), taken)
}

// What a sheet without problems says that has no meaning beside a saved model.
def problemsBesideModel(path, launchFolder, labels) {
    def sheet = file(path, glob: false)
    return groupsBesideModel(sheet.name, samplesOf(sheet, launchFolder, labels))
}

def samplesheetWarnings(path, launchFolder, labels) {
    def sheet = file(path, glob: false)
    return groupWarnings(sheet.name, samplesOf(sheet, launchFolder, labels))
}

// The name of a truth table before its first dot is the contrast; it is given to scinfill as NAME=FILE, where NAME can have no '='.
def contrastOf(path) {
    def name = path.name.split(/\./)[0]
    return name.contains('=') ? '' : "${name}=".toString()
}

// What each row of a sheet without problems says, with the files that its paths name.
def samplesOf(sheet, launchFolder, labels) {
    def rows = sheetRows(sheet)
    def header = rows[0][1]
    return rows.tail().collect { line, fields ->
        def row = [header, fields].transpose().collectEntries()
        def files = pathsOf(row).collectEntries { name, texts -> [name, texts.collect { text -> locate(text, sheet, launchFolder) }] }
        [
            line: line,
            sample: row.sample,
            group: row.group ?: null,
            labels: row.labels ?: labels,
            layer: row.layer ?: null,
            genes_in_rows: row.genes_in_rows == 'true',
            files: files,
        ]
    }
}

// [ meta, counts ] of every row of a sheet that has no problems. A sample that is joined with others has theirs as meta.group.
def readSamplesheet(path, launchFolder, workFolder, labels) {
    def sheet = file(path, glob: false)
    def found = samplesOf(sheet, launchFolder, labels).collect { row ->
        def escaped = row.files.collectEntries { name, files -> [name, files.collect { one -> escapable(one, workFolder) }] }
        def meta = [
            id: row.sample,
            sample: row.sample,
            labels: row.labels,
            layer: row.layer,
            genes_in_rows: row.genes_in_rows,
            bulk: escaped.bulk,
            de_truths: escaped.de_truth,
            contrasts: row.files.de_truth.collect { table -> contrastOf(table) },
            where: "${sheet.name}, line ${row.line}".toString(),
        ]
        [row.group, meta, escaped.counts[0]]
    }
    def groups = groupsOf(found.collect { group, meta, _counts -> [group, meta] })
    return found.collect { group, meta, counts -> [groups[group] ? meta + [group: groups[group]] : meta, counts] }
}
