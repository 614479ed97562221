// What failed, from the trace that Nextflow keeps: its own messages name the process, not the reason.

// One line for each task that failed for good: process, sample, and the last thing it said.
def failures(trace) {
    if (!trace.exists()) {
        return []
    }
    def rows = trace.text.readLines().collect { line -> line.tokenize('\t') }
    def name = rows[0].indexOf('name')
    def status = rows[0].indexOf('status')
    def folder = rows[0].indexOf('workdir')
    return rows.tail()
        .groupBy { row -> row[name] }
        .values()
        .collect { tries -> tries.last() }
        .findAll { row -> row[status] == 'FAILED' }
        .collect { row -> "${row[name].tokenize(':').last()}: ${lastWords(file(row[folder], glob: false).resolve('.command.err'))}".toString() }
}

def lastWords(log) {
    def lines = log.exists() ? log.text.readLines().findAll { line -> line.trim() } : []
    return lines ? lines.last() : 'it left no message'
}
