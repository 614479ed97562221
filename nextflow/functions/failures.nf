// What failed and why, what was warned of and what did not come, from the trace that Nextflow keeps: its own messages name the process, not the reason.

// The rows of a trace as maps, the last try of each task. None where there is no trace, or one of the user's own without
// these columns.
def lastTries(trace) {
    def rows = trace && trace.exists() ? trace.text.readLines().collect { line -> line.split('\t', -1).toList() } : []
    if (!rows || !rows[0].containsAll(['process', 'tag', 'name', 'status', 'exit', 'workdir'])) {
        return []
    }
    return rows.tail()
        .collect { row -> [rows[0], row].transpose().collectEntries() }
        .groupBy { row -> row.name }
        .values()
        .collect { tries -> tries.last() }
}

// The tasks that failed for good: process, tag, and the reason.
def failures(around) {
    return lastTries(around.trace)
        .findAll { row -> row.status == 'FAILED' }
        .collect { row ->
            [
                process: row.process.tokenize(':').last(),
                tag: row.tag == '-' ? '' : row.tag,
                reason: reason(file(row.workdir, glob: false), row.exit, 'awsbatch' in around.profiles),
            ]
        }
}

def failureLines(failed) {
    return failed.collect { task -> "${task.process}${task.tag ? " (${task.tag})" : ''}: ${task.reason}".toString() }
}

// What commands warned of while they made what is published, since nobody looks into the logs of tasks that went well: one
// line for each warning of a process, with the tags of its tasks.
def warningLines(around) {
    return lastTries(around.trace)
        .findAll { row -> row.status in ['COMPLETED', 'CACHED'] && row.process ==~ /(.*:)?(SCINFILL_(JOIN|PREPROCESS)|IMPUTE(_GROUPS)?:\w+)/ }
        .collectMany { row ->
            errorLines(file(row.workdir, glob: false))
                .findAll { line -> line ==~ /scinfill \S+: warning: .*/ }
                .collect { line -> [process: row.process.tokenize(':').last(), tag: row.tag, line: line] }
        }
        .groupBy { warning -> [warning.process, warning.line] }
        .collect { warning, same ->
            def tags = same.collect { one -> one.tag }
            def more = tags.size() > 5 ? " and ${tags.size() - 5} more" : ''
            "${warning[0]} (${tags.take(5).join(', ')}${more}): ${warning[1]}".toString()
        }
}

// What stands in a task's log, but for blank lines.
def errorLines(folder) {
    def log = folder.resolve('.command.err')
    return log.exists() ? log.text.readLines().findAll { line -> line.trim() } : []
}

// The last thing that a task said, or what its exit code says.
def reason(folder, exit, onBatch) {
    def lines = errorLines(folder)
    if (exit == '127' && lines && lines.last().endsWith(': command not found')) {
        def program = lines.last() - ': command not found'
        return "there is no program ${program.tokenize(' ').last()} in its image or on its machine; build or install it (containers/README.md)".toString()
    }
    // Of a task that was killed outright, what stands there is the shell's.
    return lines && exit != '137' ? lines.last() : silentReason(exit, onBatch)
}

def silentReason(exit, onBatch) {
    if (exit == '127') {
        return onBatch
            ? 'exit code 127 and no message: the image lacks the program aws. Build it with --build-arg AWS=yes ' +
                '(containers/README.md), or name the place of aws on the machine image by --aws_cli_path'
            : 'exit code 127 and no message: a program is missing in its image or on its machine'
    }
    if (exit == '137') {
        return 'killed (exit code 137), as happens to tasks that need more memory or time than they asked for'
    }
    return exit.isInteger() && exit.toInteger() < 256
        ? "it left no message (exit code ${exit})"
        : 'it left neither message nor exit code: its machine or its job was lost'
}

// Nextflow writes a task's row a moment after the task's end is known. Asks again until enough is there, for so many tenths
// of a second at most.
def settled(enough, ask, tries = 30) {
    def answer = ask.call()
    if (tries == 0 || enough.call(answer)) {
        return answer
    }
    sleep(100)
    return settled(enough, ask, tries - 1)
}

// While the run goes on: every gap has a reason.
def failuresBehind(around, results) {
    return settled({ failed -> gapsIn(results).every { gap -> reasonsFor(gap[3], gap[2], failed) } }, { -> failures(around) })
}

// Why a saved model could not be looked into, which ends the run before any other task.
def unreadableModel(model, around) {
    def ofModel = { failed -> failed.findAll { task -> task.process == 'SCINFILL_INSPECT_MODEL' } }
    def failed = ofModel.call(settled({ found -> ofModel.call(found) }, { -> failures(around) }))
    def because = failed ? failed[0].reason : 'the task that looked into it left no message'
    return "--model: ${model.name} cannot be read: ${because}".toString()
}

// What failed on a dataset's way through a method. Tags are the name of a sample or group, with mask and method after dots.
def reasonsFor(names, method, failed) {
    return failed.findAll { task ->
        def parts = task.tag.tokenize('.')
        def own = parts && parts[0] in names
        def other = parts.size() > 1 && parts.last() != method && task.process ==~ /SCINFILL_(IMPUTE.*|EXPORT|ADOPT|SPLIT)|SCIMPUTE|DRIMPUTE|SCVI/
        own && !other
    }
}

// The results that did not come, of [ key, dataset, method, tags, true or null ].
def gapsIn(results) {
    return results.findAll { row -> row.last() == null }
}

// One line for each dataset and method with gaps, with the reasons where failed tasks are given.
def absences(results, failed) {
    def total = results.countBy { row -> [row[1], row[2]] }
    def absent = gapsIn(results).groupBy { row -> [row[1], row[2]] }
    return total.keySet()
        .findAll { pair -> absent[pair] }
        .collect { pair ->
            def tags = absent[pair][0][3]
            def because = failureLines(reasonsFor(tags, pair[1], failed)).unique()
            def name = tags.size() > 1 ? "group ${pair[0]} (${tags.tail().join(', ')})" : pair[0]
            def line = "${name}: ${pair[1]} did not finish (${absent[pair].size()} of ${total[pair]} results are missing)"
            ([line] + because).join('; ')
        }
}
