#!/usr/bin/env nextflow
// scinfill from samplesheet to report. The flow itself is nextflow/workflows/scinfill.

include { SCINFILL                                   } from './nextflow/workflows/scinfill'
include { schemas ; problemsOf ; initialise          } from './nextflow/functions/initialise'
include { helpText                                   } from './nextflow/functions/parameters'

// Ends the run with one line before any task. The trace file that Nextflow has begun by then goes, and its folder.
def refuse(problems, infoFolder, traceSuffix) {
    infoFolder.resolve("trace_${traceSuffix}.txt").delete()
    [infoFolder, infoFolder.parent].each { folder ->
        if (folder.exists() && !folder.list()) {
            folder.delete()
        }
    }
    def more = problems.size() > 1 ? " (and ${problems.size() - 1} more)" : ''
    error("${problems[0]}${more}")
}

def conclude(run, outdir, missing) {
    missing.each { line -> log.error(line) }
    if (run.success) {
        log.info("The report: ${outdir}/report.html")
    }
}

workflow {
    main:
    def run = workflow
    def rules = schemas(file(projectDir))
    if (params.help.toString().toBoolean()) {
        log.info(helpText(rules.parameters))
        System.exit(0)
    }
    else {
        def outdir = params.outdir
        def infoFolder = file("${outdir}/pipeline_info")

        // 1. Initialise
        def problems = problemsOf(params, rules, run)
        if (problems) {
            refuse(problems, infoFolder, params.trace_suffix)
        }
        def job = initialise(params, rules, run)
        job.skipped.each { method, reason -> log.warn("${method} is skipped: ${reason}") }
        if (!job.methods) {
            refuse(['no method is left to run'], infoFolder, params.trace_suffix)
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
            .collectFile(name: 'software_versions.yml', storeDir: infoFolder, newLine: true, sort: true)
        run.onComplete { conclude(run, outdir, missing) }
    }
}
