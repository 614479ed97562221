#!/usr/bin/env nextflow
// scinfill from samplesheet to report. The flow itself is nextflow/workflows/scinfill.

include { SCINFILL                                      } from './nextflow/workflows/scinfill'
include { schemas ; surroundings                        } from './nextflow/functions/initialise'
include { problemsOf ; warningsOf ; initialise          } from './nextflow/functions/initialise'
include { helpText                                      } from './nextflow/functions/parameters'
include { failures ; failureLines ; warningLines        } from './nextflow/functions/failures'
include { recordProblem ; parametersAsJson ; keepTrace  } from './nextflow/functions/bookkeeping'
include { summary                                       } from './nextflow/functions/bookkeeping'

// Ends the run with one line before any task. Until here nothing was written to --outdir, so nothing has to go.
def refuse(problems) {
    def more = problems.size() > 1 ? " (and ${problems.size() - 1} more)" : ''
    error("${problems[0]}${more}")
}

// A run that was ended names its one reason; what it did not come to is no news.
def conclude(run, report, warned, failed, missing) {
    warned.each { line -> log.warn(line) }
    failed.each { line -> log.warn(line) }
    if (run.errorMessage) {
        return
    }
    missing.each { line -> log.warn(line) }
    if (report.exists()) {
        log.info("The report: ${report.toUriString()}")
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
        // 1. Initialise
        def around = surroundings(run, nextflow.Global.session)
        def problems = problemsOf(params, rules, around)
        if (problems) {
            refuse(problems)
        }
        def job = initialise(params, rules, around)
        warningsOf(params, rules, around).each { line -> log.warn(line) }
        job.skipped.each { method, reason -> log.warn("${method} is skipped: ${reason}") }
        if (!job.methods && !job.model) {
            refuse(['no method is left to run'])
        }
        def outdir = file(params.outdir.toString(), glob: false)
        def records = outdir.resolve('pipeline_info')
        def suffix = params.trace_suffix
        // The first file of the run, and the proof that others can follow.
        def unwritable = recordProblem(records.resolve("params_${suffix}.json"), parametersAsJson(params, rules), outdir)
        if (unwritable) {
            refuse([unwritable])
        }
        log.info(summary(run, params, rules))

        // 2. Run
        SCINFILL(
            channel.fromList(job.samples),
            channel.fromList(job.simulated),
            job.masks,
            job.methods,
            job.model,
            job.kept,
            job.datasets,
            job.seed,
            around,
            file("${projectDir}/nextflow/assets/multiqc_config.yml"),
        )

        // 3. Complete
        def missing = []
        SCINFILL.out.missing.subscribe { lines -> missing.addAll(lines) }
        SCINFILL.out.versions
            .mix(channel.of("Nextflow: ${run.nextflow.version}".toString(), "pipeline: ${run.manifest.version}".toString()))
            .collectFile(name: 'software_versions.yml', storeDir: records, newLine: true, sort: true)
        run.onComplete {
            keepTrace(around.trace, run.stats, records.resolve("trace_${suffix}.txt"))
            // The reason that ended the run is said once.
            def failed = failures(around).findAll { task -> !run.errorMessage?.contains(task.reason) }
            conclude(run, outdir.resolve('report.html'), warningLines(around), failureLines(failed), missing)
        }
    }
}
