#!/usr/bin/env nextflow
// scinfill from samplesheet to report. The flow itself is nextflow/workflows/scinfill.

include { SCINFILL                                   } from './nextflow/workflows/scinfill'
include { schemas ; problemsOf ; initialise          } from './nextflow/functions/initialise'
include { helpText                                   } from './nextflow/functions/parameters'
include { failures                                   } from './nextflow/functions/failures'

// Ends the run with one line before any task. The trace file that Nextflow has begun by then goes, and its folder.
def refuse(problems, trace) {
    trace.delete()
    [trace.parent, trace.parent.parent].each { folder ->
        if (folder.exists() && !folder.list()) {
            folder.delete()
        }
    }
    def more = problems.size() > 1 ? " (and ${problems.size() - 1} more)" : ''
    error("${problems[0]}${more}")
}

// A run that was ended names its one reason; what it did not come to is no news.
def conclude(run, report, failed, missing) {
    failed.each { line -> log.warn(line) }
    if (run.errorMessage) {
        return
    }
    missing.each { line -> log.warn(line) }
    if (report.exists()) {
        log.info("The report: ${report}")
    }
}

workflow {
    main:
    def run = workflow
    def rules = schemas(projectDir)
    if (params.help.toString().toBoolean()) {
        log.info(helpText(rules.parameters))
        System.exit(0)
    }
    else {
        def outdir = params.outdir
        def trace = file("${outdir}/pipeline_info/trace_${params.trace_suffix}.txt", glob: false)

        // 1. Initialise
        def problems = problemsOf(params, rules, run)
        if (problems) {
            refuse(problems, trace)
        }
        def job = initialise(params, rules, run)
        job.skipped.each { method, reason -> log.warn("${method} is skipped: ${reason}") }
        if (!job.methods) {
            refuse(['no method is left to run'], trace)
        }

        // 2. Run
        SCINFILL(
            channel.fromList(job.samples),
            channel.fromList(job.simulated),
            job.masks,
            job.methods,
            job.planned,
            job.seed,
        )

        // 3. Complete
        def missing = []
        SCINFILL.out.missing.subscribe { lines -> missing.addAll(lines) }
        SCINFILL.out.versions
            .mix(channel.of("Nextflow: ${run.nextflow.version}".toString(), "pipeline: ${run.manifest.version}".toString()))
            .collectFile(name: 'software_versions.yml', storeDir: trace.parent, newLine: true, sort: true)
        run.onComplete { conclude(run, file("${outdir}/report.html", glob: false), failures(trace), missing) }
    }
}
