// Time and memory of a task, from the record that Nextflow keeps beside its output.

def costHeader() {
    return 'name,seconds,peak_mib'
}

// One row for `scinfill report --cost`, or null where nothing was measured. Milliseconds and KiB come in.
def costLine(name, output) {
    def record = output.parent.resolve('.command.trace')
    def lines = record.exists() ? record.text.readLines().findAll { line -> line.contains('=') } : []
    def measured = lines.collectEntries { line -> line.tokenize('=').take(2) }
    if (!measured.realtime) {
        return null
    }
    // A task that was over before Nextflow looked at it has a peak of 0.
    def peak = (measured.peak_rss ?: '0') != '0' ? (measured.peak_rss as Long) / 1024 : ''
    return "${name},${(measured.realtime as Long) / 1000},${peak}".toString()
}
