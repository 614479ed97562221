// Samples of one group: they are joined, imputed together and published apart again. A group of one sample is none.

def joinedGroups(samples) {
    return samples
        .findAll { sample -> sample.group }
        .groupBy { sample -> sample.group }
        .findAll { _name, members -> members.size() > 1 }
}

// One line for each thing that keeps samples of a group from being joined; samples as in samplesOf (samplesheet.nf).
def groupProblems(sheetName, samples) {
    def groups = joinedGroups(samples)
    def sameName = samples
        .findAll { sample -> groups[sample.sample] }
        .collect { sample ->
            def first = groups[sample.sample][0].line
            "line ${first}: group '${sample.sample}' has the name of the sample on line ${sample.line}, and results are named after both; give one of them another name"
        }
    def disagreements = groups.collectMany { name, members -> disagreementsOf(name, members) }
    return (sameName + disagreements).collect { problem -> "${sheetName}, ${problem}".toString() }
}

// A model reads every cell by itself, so there is nothing to join.
def groupsBesideModel(sheetName, samples) {
    return joinedGroups(samples).collect { name, members ->
        "${sheetName}, line ${members[0].line}: group '${name}': --model imputes every cell by itself, so that samples are not joined; leave out the column 'group', or --model".toString()
    }
}

def disagreementsOf(name, members) {
    def first = members[0]
    def unlike = ['labels', 'layer', 'genes_in_rows'].collectMany { column ->
        members
            .findAll { sample -> sample[column] != first[column] }
            .take(1)
            .collect { sample ->
                "line ${sample.line}: samples of group '${name}' must have the same '${column}'; received ${said(sample[column])} here and ${said(first[column])} on line ${first.line}: make them alike, or change the group"
            }
    }
    def withBulk = members.findAll { sample -> sample.files.bulk }
    def otherBulk = withBulk
        .findAll { sample -> sample.files.bulk != withBulk[0].files.bulk }
        .take(1)
        .collect { sample -> "line ${sample.line}: samples of group '${name}' must have the same 'bulk'; received another on line ${withBulk[0].line}: keep one of them, or change the group" }
    def twice = members
        .groupBy { sample -> sample.files.counts }
        .findAll { _files, same -> same.size() > 1 }
        .collect { _files, same ->
            "line ${same[1].line}: sample '${same[1].sample}' of group '${name}' has the counts of '${same[0].sample}' on line ${same[0].line}; leave one of them out"
        }
    return unlike + otherBulk + twice
}

def said(value) {
    return value == null ? 'none' : "'${value}'"
}

def groupWarnings(sheetName, samples) {
    def joined = joinedGroups(samples)
    return samples
        .findAll { sample -> sample.group && !joined[sample.group] }
        .collect { sample ->
            "${sheetName}, line ${sample.line}: no other sample is in group '${sample.group}', so '${sample.sample}' is imputed by itself".toString()
        }
}

// The meta of every group that is joined by its name, from [ name of the group, meta ] of all samples. Its counts are X of
// the joined table, cells in rows. References of any of its samples are references of all.
def groupsOf(found) {
    return joinedGroups(found.collect { group, meta -> [group: group, meta: meta] }).collectEntries { name, members ->
        def metas = members.collect { member -> member.meta }
        def truths = metas.collectMany { meta -> [meta.de_truths, meta.contrasts].transpose() }.unique()
        def group = [
            id: name,
            sample: name,
            labels: metas[0].labels,
            layer: null,
            genes_in_rows: false,
            bulk: metas.collectMany { meta -> meta.bulk }.unique(),
            de_truths: truths.collect { truth -> truth[0] },
            contrasts: truths.collect { truth -> truth[1] },
            where: metas.collect { meta -> meta.where }.join('; '),
            samples: metas.collect { meta -> meta.sample },
        ]
        [name, group]
    }
}

// A column for the samples' names that no file has, since one's own would stay as it is: of several summaries by
// `scinfill inspect`. A stub's names no columns.
def batchColumn(summaries) {
    def taken = summaries.collectMany { summary -> (summary.obs ?: []) + (summary.var ?: []) }
    def others = (2..<taken.size() + 3).collect { number -> "samplesheet_sample_${number}".toString() }
    return (['sample', 'samplesheet_sample'] + others).find { name -> !(name in taken) }
}

// What SCINFILL_JOIN takes, from a group and [ meta, counts, summary ] of its samples, which come in any order.
def joinOf(group, members) {
    def ordered = members.sort(false) { member -> group.samples.indexOf(member[0].sample) }
    def batch = batchColumn(ordered.collect { member -> member[2] })
    def first = ordered[0][0]
    return [group + [batch: batch], group.samples, ordered.collect { member -> member[1] }, first.layer, first.genes_in_rows, batch]
}
