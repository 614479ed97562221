// The samplesheet against the rules in assets/schema_input.json; every problem names its line.

include { readJson ; valueProblem } from './parameters'

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

def fieldsOf(line, separator) {
    def splitter = new nextflow.splitter.CsvSplitter().options(sep: separator, quote: '"', strip: true)
    return splitter.target(line).list()[0].collect { field -> field ?: '' }
}

def headerProblems(sheet, header, rules, required) {
    def unknown = (header - rules.keySet()).collect { name -> "column '${name}' is not known; known are ${rules.keySet().join(', ')}" }
    def missing = (required - header).collect { name -> "the column '${name}' is missing" }
    def twice = header.countBy { name -> name }.findAll { _name, count -> count > 1 }.collect { name, _count -> "the column '${name}' is there twice" }
    return (unknown + missing + twice).collect { problem -> "${sheet.name}, line 1: ${problem}" }
}

// The paths of a field that may hold several, with semicolons between.
def paths(field) {
    return (field ?: '').tokenize(';').collect { path -> path.trim() }
}

// Relative paths count from where the run was started, else from the samplesheet's folder.
def locate(path, sheet, launchFolder) {
    def absolute = path.startsWith('/') || path.contains('://')
    def candidates = absolute ? [file(path)] : [launchFolder.resolve(path), sheet.parent.resolve(path)]
    return candidates.find { candidate -> candidate.exists() }
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
    def absent = ['counts', 'bulk', 'de_truth'].collectMany { name -> paths(row[name]).collect { path -> [name, path] } }
        .find { _name, path -> !locate(path, sheet, launchFolder) }
    return absent ? "'${absent[0]}': there is no file ${absent[1]}" : ''
}

def duplicateProblems(sheet, rows, column) {
    return rows
        .groupBy { _line, fields -> fields[column] }
        .findAll { _name, same -> same.size() > 1 }
        .collect { name, same -> "${sheet.name}, line ${same[1][0]}: sample '${name}' is already on line ${same[0][0]}" }
}

def samplesheetProblems(sheet, schema, launchFolder) {
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
    return wrong ?: duplicateProblems(sheet, rows.tail(), header.indexOf('sample'))
}

// [ meta, counts ] of every row of a sheet that has no problems.
def readSamplesheet(sheet, launchFolder, labels) {
    def rows = sheetRows(sheet)
    def header = rows[0][1]
    return rows.tail().collect { line, fields ->
        def row = [header, fields].transpose().collectEntries()
        def meta = [
            id: row.sample,
            sample: row.sample,
            labels: row.labels ?: labels,
            layer: row.layer ?: null,
            genes_in_rows: row.genes_in_rows == 'true',
            bulk: paths(row.bulk).collect { path -> locate(path, sheet, launchFolder) },
            de_truths: paths(row.de_truth).collect { path -> locate(path, sheet, launchFolder) },
            where: "${sheet.name}, line ${line}".toString(),
        ]
        [meta, locate(row.counts, sheet, launchFolder)]
    }
}

// What `scinfill inspect` says of a sample's label column: '' if it is there.
def labelProblem(meta, summary) {
    def columns = readJson(summary).obs
    return meta.labels in columns
        ? ''
        : "${meta.where}: sample '${meta.id}' has no obs column '${meta.labels}'; it has ${columns ? columns.join(', ') : 'none'}".toString()
}
